"""A port with TLS: bursts, busy ports, and connections that do not disturb each other."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import resource
import socket
import ssl
from functools import partial

import anyio
import pytest
from anyio import to_thread
from tests.emulated import device, running
from tests.emulator.tls_server import BUG, serving
from tests.scripted_client import client_context, connect, http

from aiodps.emulator.connections import connection_limit as connection_limits
from aiodps.emulator.connections.listener import BACKLOG, Listener
from aiodps.errors import ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


def test_a_busy_port_is_told_in_words() -> None:
    """With the setting to change, and nothing left open."""
    first = Listener.bind("127.0.0.1", 0, setting="https_port")
    try:
        with pytest.raises(ConfigurationError, match=rf"port {first.port} .* is in use") as caught:
            Listener.bind("127.0.0.1", first.port, setting="mqtt_port")
    finally:
        first.close()

    assert caught.value.setting == "mqtt_port"
    assert isinstance(caught.value.__cause__, OSError)


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    """Nor a name that does not exist."""
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            Listener.bind(host, 0, setting="host")


async def test_a_burst_overflows_nothing() -> None:
    """All that connect at once are answered, while none of them has been accepted yet."""
    async with serving() as server:
        before = _overflows()
        sockets = [socket.socket() for _ in range(300)]
        for sock in sockets:
            sock.connect(("127.0.0.1", server.port))

        await server.ask(server.context())
        for sock in sockets:
            sock.close()

        assert BACKLOG >= 4096
        assert _overflows() == before


async def test_too_few_descriptors_end_no_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The silent make room, and a device is served; fewer were left than we reckoned with."""
    monkeypatch.setattr(connection_limits, "SILENT_SECONDS", 0)  # the newest stays
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving() as server:
        context = server.context()
        await server.ask(context)
        with contextlib.ExitStack() as sockets:
            for _ in range(30):
                sock = sockets.enter_context(socket.create_connection(("127.0.0.1", server.port)))

            files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a pseudo directory)
            sockets.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_NOFILE, (files + 5, hard))
            # The last in the queue is a device.
            shake_hands = partial(context.wrap_socket, sock, server_hostname="localhost")
            sockets.enter_context(await to_thread.run_sync(shake_hands))

    (told,) = caplog.messages
    assert told.startswith("the limit of ")


def _overflows() -> int:
    with open("/proc/net/netstat") as file:  # noqa: PTH123 (a pseudo file)
        names, values = (line.split() for line in file if line.startswith("TcpExt"))

    return int(values[names.index("ListenOverflows")])


@pytest.mark.parametrize("port", ["https_port", "mqtt_port"])
async def test_any_bytes_instead_of_tls_disturb_nobody(
    port: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Garbage ends its own connection, without a word of alarm in the log."""
    dice = random.Random(1)  # noqa: S311 (repeatable)
    async with running() as dps, http(dps, device()) as healthy:
        for _ in range(50):
            async with await anyio.connect_tcp("127.0.0.1", getattr(dps, port)) as stream:
                await _pour(stream, dice.randbytes(dice.randrange(1, 400)))

        assert (await healthy.ask("GET", "/")).status == 404

    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize("port", ["https_port", "mqtt_port"])
async def test_fuzz_inside_tls_disturbs_nobody(
    port: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The same inside TLS: real beginnings with changed, cut and added bytes."""
    dice = random.Random(2)  # noqa: S311 (repeatable)
    seeds = [
        b"PUT /s/registrations/r/register HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /s/registrations/r HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04dev1\x82\x06\x00\x01\x00\x01a\x01",
    ]
    async with running() as dps, http(dps, device()) as healthy:
        context = client_context(dps)
        for _ in range(60):
            async with await connect(getattr(dps, port), context) as stream:
                await _pour(stream, _mutate(dice.choice(seeds), dice))

        assert (await healthy.ask("GET", "/")).status == 404

    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def _mutate(seed: bytes, dice: random.Random) -> bytes:
    raw = bytearray(seed)
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(raw))
        match dice.randrange(3):
            case 0:
                raw[at] = dice.randrange(256)
            case 1:
                raw[at:at] = dice.randbytes(dice.randrange(1, 9))
            case _:
                del raw[at : at + dice.randrange(1, 9)]

        raw = raw or bytearray(b"\0")

    return bytes(raw)


async def _pour(stream: anyio.abc.ByteStream, data: bytes) -> None:
    """Send, say that there is no more, and read what comes back until the server has enough."""
    try:
        await stream.send(data)
        sock = stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610 (no Django here)
        sock.shutdown(socket.SHUT_WR)
        while True:
            await stream.receive()
    except (anyio.BrokenResourceError, anyio.EndOfStream, OSError):
        pass


async def test_a_bug_in_one_connection_does_not_end_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the next one is served."""
    async with serving() as server:
        with pytest.raises(OSError):
            await server.ask(server.context(), data=BUG)

        await server.ask(server.context())

    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_why_a_handshake_failed_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """A device that does not trust the emulator says so in an alert; its user should see it."""
    caplog.set_level(logging.INFO)
    async with serving() as server, serving() as other:
        with pytest.raises(ssl.SSLCertVerificationError):
            await server.ask(other.context())

        await server.ask(server.context())

    (record,) = caplog.records
    assert "alert unknown ca" in record.getMessage()
