"""What the MQTT transport leaves behind, however it ends: nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Awaitable, Generator
from typing import Any

import anyio
import pytest
from tests.protocol.mqtt_bytes import publish
from tests.transports.mqtt_peer import (
    Line,
    Peer,
    assigning,
    open_to,
    reset,
)

from aiodps.errors import (
    ConnectionLostError,
    MalformedResponseError,
)
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.transports.mqtt import MQTT, MqttTransport

pytestmark = pytest.mark.anyio

AT_ONCE = 3.0
"""Seconds; far below every time-out, far above what loopback needs."""


@pytest.fixture
def anyio_backend() -> str:
    """MQTT runs on asyncio only."""
    return "asyncio"


async def test_aclose_at_any_time() -> None:
    """Closing is polite, may come twice, before connecting, and while somebody waits."""
    asked = threading.Event()

    def script(line: Line) -> None:
        line.accept()
        line.request()
        asked.set()
        assert line.drain()[-1] == 0xE0

    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.aclose()
            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

            await transport.connect()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close_when, asked, transport)
                with pytest.raises(ConnectionLostError):
                    await transport.exchange(Register())

            await transport.aclose()


async def close_when(asked: threading.Event, transport: MqttTransport) -> None:
    """Close the transport while another task waits in it."""
    while not asked.is_set():  # noqa: ASYNC110 (the peer is a thread)
        await anyio.sleep(0.01)

    await transport.aclose()


def traces() -> tuple[object, ...]:
    """List what could be left behind: tasks, file descriptors, threads, watched descriptors."""
    loop = asyncio.get_running_loop()
    return (
        {task for task in asyncio.all_tasks() if not task.done()},
        sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208 (numbers, not paths)
        threading.active_count(),
        sorted(loop._selector.get_map()),  # type: ignore[attr-defined]
        [handle for handle in loop._scheduled if not handle._cancelled],  # type: ignore[attr-defined]
    )


class CancelAt:
    """Runs a coroutine and cancels the task that runs it at the k-th place where it waits."""

    def __init__(self, work: Awaitable[None], k: int) -> None:
        self._work = work
        self._k = k
        self.reached = False

    def __await__(self) -> Generator[Any, Any, None]:
        """Pass everything through, and count."""
        steps = self._work.__await__()
        count = 0
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = steps.throw(error) if error is not None else steps.send(value)
            except StopIteration:
                return

            if count == self._k:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()

            count += 1
            value, error = None, None
            try:
                value = yield waited
            except BaseException as exc:  # noqa: BLE001 (passed on)
                error = exc


async def flow(transport: MqttTransport) -> None:
    """Connect, register, poll; and close as the driver does."""
    try:
        await transport.connect()
        await transport.exchange(Register())
        await transport.exchange(QueryStatus("op"))
    finally:
        await transport.aclose()


@pytest.mark.parametrize("closing", [True, False], ids=["closed", "not-closed"])
async def test_cancelled_at_every_await(*, closing: bool) -> None:
    """Cancelled wherever it waits, the transport leaves nothing, even if nobody closes it."""

    async def without_closing(transport: MqttTransport) -> None:
        await transport.connect()
        await transport.exchange(Register())
        await transport.exchange(QueryStatus("op"))

    with Peer([assigning]) as warm:
        async with open_to(warm) as transport:
            await flow(transport)

    for k in range(100):
        before = traces()
        with Peer([assigning]) as peer:
            transport = MQTT(port=peer.port).open(peer.target())
            work = CancelAt(flow(transport) if closing else without_closing(transport), k)
            task = asyncio.ensure_future(work)
            await asyncio.wait([task])
            if not work.reached:
                await transport.aclose()

        assert task.cancelled() == work.reached
        del task
        assert traces() == before
        if not work.reached:
            break

    assert k >= 5


async def test_cancelled_in_the_middle_of_a_packet() -> None:
    """A request that the peer does not read can be cancelled like any other."""
    done = threading.Event()

    def script(line: Line) -> None:
        line.accept()
        done.wait(AT_ONCE)

    before = traces()
    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            sock = transport._session._socket._socket  # type: ignore[union-attr]
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            with anyio.move_on_after(0.1) as limit:
                while True:
                    await transport.exchange(Register({"x": "y" * 1_000_000}))

        done.set()

    assert limit.cancelled_caught
    assert traces() == before


async def test_silent_peers_delay_nobody() -> None:
    """A hundred peers that accept and say nothing do not delay a healthy device; no thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as mute, Peer([assigning]) as peer:
        silent_port = mute.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                transport = MQTT(port=silent_port).open(peer.target())
                tasks.start_soon(transport.connect)

            await anyio.sleep(0.3)
            threads = threading.active_count()
            began = time.monotonic()
            async with open_to(peer) as healthy:
                await healthy.connect()
                await healthy.exchange(Register())

            took = time.monotonic() - began
            tasks.cancel_scope.cancel()

    assert took < AT_ONCE
    assert threads <= 4


def unreadable(line: Line) -> None:
    """Answer on a topic that cannot be read."""
    line.accept()
    line.request()
    line.send(publish("$dps/registrations/res/200/?$rid"))
    line.drain()


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What paho and aiomqtt have to say reaches nobody's log, at any level."""
    caplog.set_level(0)
    with Peer([reset, unreadable, assigning]) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(ConnectionLostError):
                await transport.connect()

            await transport.connect()
            with pytest.raises(MalformedResponseError):
                await transport.exchange(Register())

            await transport.connect()

    assert not [record for record in caplog.records if record.name != "asyncio"]
