"""Worker processes: they serve together, are replaced when they die, and leave nothing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import anyio
import psutil
import pytest
from aiodps.emulator.workers import crew
from anyio.abc import ByteStream
from tests.emulated import PATIENCE, SCOPE, device, running
from tests.scripted_client import HttpClient, client_context, connect, mqtt, mqtt_connect

from aiodps.emulator import Emulator
from aiodps.errors import ConfigurationError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux"),
]
REGISTRATION = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


def workers_of(parent: psutil.Process) -> set[int]:
    """Find the worker processes of a process."""
    return {each.pid for each in parent.children() if crew.COMMAND[-1] in each.cmdline()}


def server_of(client: HttpClient) -> int:
    """Find out which process serves a connection."""
    assert isinstance(client.stream, ByteStream)
    peer = client.stream.extra(anyio.abc.SocketAttribute.local_address)  # noqa: S610 (anyio's)
    (found,) = {
        worker
        for worker in workers_of(psutil.Process())
        for connection in psutil.Process(worker).net_connections("tcp")
        if connection.raddr == peer
    }
    return found


@contextlib.asynccontextmanager
async def client_of_each(dps: Emulator) -> AsyncIterator[dict[int, HttpClient]]:
    """Connect until each of two workers has a connection."""
    async with contextlib.AsyncExitStack() as stack:
        clients: dict[int, HttpClient] = {}
        while len(clients) < 2:
            stream = await connect(dps.https_port, client_context(dps, device()))
            client = HttpClient(await stack.enter_async_context(stream))
            clients.setdefault(server_of(client), client)

        yield clients


async def test_a_worker_that_dies_is_replaced_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One service decides for all of them; the death is logged."""
    async with running(workers=2) as dps:
        async with client_of_each(dps) as clients:
            (victim, lost), (survivor, kept) = clients.items()
            for client in (lost, kept):
                accepted = await client.ask("PUT", REGISTRATION, b"{}")
                assert accepted.status == 202

            psutil.Process(victim).kill()
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await lost.stream.receive()

            assert (await kept.ask("PUT", REGISTRATION, b"{}")).status == 202

        async with client_of_each(dps) as clients:
            assert survivor in clients
            assert victim not in clients

        assert dps.counts.registers == {"device-1": 3}
        assert "a worker died" in caplog.text


async def test_a_client_that_reconnects_elsewhere_ends_its_old_session() -> None:
    """Whichever worker it comes to."""
    async with running(workers=2) as dps, mqtt(dps, device(), mqtt_connect()) as older:
        await older.take()
        async with mqtt(dps, device(), mqtt_connect()) as newer:
            await newer.take()
            assert await older.ended()


async def test_leaving_the_block_leaves_no_process() -> None:
    """Also with open connections, and when it is cancelled."""
    here = psutil.Process()
    async with running(workers=2) as dps, mqtt(dps, device(), mqtt_connect()) as client:
        await client.take()
        assert len(workers_of(here)) == 2

    with anyio.move_on_after(0.05):
        async with running(workers=2):
            await anyio.sleep_forever()

    assert not workers_of(here)


async def test_a_shared_port_is_not_shared_with_strangers() -> None:
    """A second emulator is told that the port is in use, with workers or without."""
    async with running(workers=1) as dps:
        for workers in (0, 1):
            with pytest.raises(ConfigurationError, match="is in use"):
                async with Emulator(https_port=dps.https_port, workers=workers):
                    pass


@pytest.mark.parametrize(
    "command", [(sys.executable, "-c", "raise SystemExit(3)"), ("/no/such/python",)]
)
async def test_a_worker_that_cannot_start_is_told_at_once(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of the emulator's start; nothing is tried for ever."""
    monkeypatch.setattr(crew, "COMMAND", command)
    before = psutil.Process().children()
    with pytest.raises(ConfigurationError, match="does not start") as caught:
        async with Emulator(workers=2):
            pass

    assert caught.value.setting == "workers"
    assert psutil.Process().children() == before


def test_without_linux_there_are_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything happens."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigurationError, match="need Linux"):
        Emulator(workers=1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(how: signal.Signals) -> None:
    """However it ends; nobody is left to tell them."""
    command = [sys.executable, "-m", "aiodps", "emulator", "--quiet", "--json", "--workers", "2"]
    ports = ["--https-port", "0", "--mqtt-port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *ports], stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        workers = [psutil.Process(each) for each in workers_of(psutil.Process(process.pid))]
        for each in workers if how != signal.SIGKILL else ():
            each.send_signal(how)  # as a service manager or a terminal does

        process.send_signal(how)
        _, errors = process.communicate(timeout=PATIENCE)

    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []
    assert errors == b""


@pytest.mark.parametrize("count", [-1, 65, 10**12])
async def test_workers_beyond_sense_are_refused(count: int) -> None:
    """Before the machine is busy with them."""
    with pytest.raises(ConfigurationError, match=f"there cannot be {count} workers"):
        Emulator(workers=count)
