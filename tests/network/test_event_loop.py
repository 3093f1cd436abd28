"""Event loops that cannot watch sockets are told from those that can."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Iterator

import anyio
import pytest
from tests.proactor import WITHOUT_READERS
from tests.scripted.server import LIMIT

from aiodps.errors import ConfigurationError
from aiodps.network.event_loop import (
    ReadWatch,
    backend_options,
    check_watches_sockets,
    sleep_until,
    until_readable,
    until_writable,
    watches_sockets,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two sockets that are connected."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def fill(sock: socket.socket) -> None:
    """Send until nothing more can be sent."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(65536))


async def _watches() -> bool:
    return watches_sockets()


def test_who_watches_sockets() -> None:
    """On Unix asyncio's does; the default loop of Windows, trio, and no loop do not."""
    assert anyio.run(_watches)
    assert not anyio.run(_watches, backend="trio")
    assert not anyio.run(_watches, backend_options=WITHOUT_READERS)
    assert not watches_sockets()


def test_a_loop_that_does_not_is_refused_by_name() -> None:
    """The hint says which one does."""

    async def check() -> None:
        check_watches_sockets("aiomqtt")

    anyio.run(check)
    with pytest.raises(ConfigurationError) as caught:
        anyio.run(check, backend_options=WITHOUT_READERS)

    assert (
        "cannot run on a LoopWithoutReaders, which does not watch sockets" in caught.value.message
    )
    assert "SelectorEventLoop" in caught.value.hint
    with pytest.raises(ConfigurationError, match="requires asyncio"):
        anyio.run(check, backend="trio")


def test_the_loop_of_a_program_of_ours() -> None:
    """On Windows it is not the default one."""
    assert backend_options("win32") == {"loop_factory": asyncio.SelectorEventLoop}
    assert backend_options("linux") == {}


EACH_LOOP = pytest.mark.parametrize(
    "anyio_backend", ["asyncio", "trio", ("asyncio", WITHOUT_READERS)], ids=str, indirect=True
)


@pytest.mark.anyio
@EACH_LOOP
async def test_a_wait_until_a_time(anyio_backend: object) -> None:
    """It ends at that time, at once if it has passed, and can be cancelled."""
    due = anyio.current_time() + 0.01
    await sleep_until(due)
    late = anyio.current_time() - due
    await sleep_until(due)
    with anyio.move_on_after(0) as scope:
        await sleep_until(due + 1000)

    assert late > -0.001
    assert scope.cancelled_caught


@pytest.mark.anyio
@EACH_LOOP
async def test_reading_until_that_is_all(pair: Pair) -> None:
    """The function is called again as long as it says that there is more, until it is stopped."""
    ours, theirs = pair
    received = bytearray()

    def read() -> bool:
        received.extend(ours.recv(1))
        return received.endswith(b".")

    watch = ReadWatch(ours)
    for _ in range(2):
        theirs.send(b"ab.")
        await watch.until_read(read)

    assert received == b"ab.ab."
    await anyio.wait_writable(ours)
    with anyio.move_on_after(0):
        await watch.until_read(read)

    watch.stop()
    theirs.send(b".")
    await anyio.wait_readable(ours)  # nobody else watches


@pytest.mark.anyio
@EACH_LOOP
@pytest.mark.parametrize("to_send", [False, True], ids=["read", "write"])
async def test_a_watch_ends_before_its_socket_is_closed(pair: Pair, *, to_send: bool) -> None:
    """Whoever waits goes on, also if it is stopped twice."""
    ours, _ = pair
    fill(ours)
    watch = ReadWatch(ours)
    async with anyio.create_task_group() as tasks:
        if to_send:
            tasks.start_soon(watch.until_writable, math.inf)
        else:
            tasks.start_soon(watch.until_read, bool)

        for _ in range(5):
            await anyio.lowlevel.checkpoint()

        watch.stop()
        ours.close()
        watch.stop()


@pytest.mark.anyio
@EACH_LOOP
async def test_a_wait_has_an_end(pair: Pair) -> None:
    """Also if an earlier one had more time; what arrives later is read all the same."""
    ours, theirs = pair

    def read() -> bool:
        return ours.recv(1) == b"."

    watch = ReadWatch(ours)
    with anyio.move_on_after(0):
        await watch.until_read(read, until=anyio.current_time() + 3600)

    await watch.until_read(read, until=anyio.current_time())
    theirs.send(b".")
    await watch.until_read(read, until=anyio.current_time() + 3600)
    watch.stop()


@pytest.mark.anyio
@EACH_LOOP
async def test_a_mistake_while_reading_is_raised_where_somebody_waits(pair: Pair) -> None:
    """Not in the event loop, where it would only be logged."""
    ours, theirs = pair
    theirs.send(b"x")
    with pytest.raises(ZeroDivisionError):
        await ReadWatch(ours).until_read(lambda: bool(1 / 0))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_watch_goes_on_between_two_waits(pair: Pair) -> None:
    """What arrives then is read, and a mistake is told to the event loop, once."""
    ours, theirs = pair
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    read = {b"a": True, b"b": False}

    watch = ReadWatch(ours)
    theirs.send(b"abc")
    await watch.until_read(lambda: read[ours.recv(1)])
    while not told:
        await anyio.lowlevel.checkpoint()

    assert [type(each) for each in told] == [KeyError]
    await anyio.wait_writable(ours)
    theirs.send(b"d")
    await anyio.wait_readable(ours)  # nobody else watches


@pytest.mark.anyio
@EACH_LOOP
async def test_a_watch_that_is_interrupted_between_two_waits(pair: Pair) -> None:
    """What arrives then is not read before somebody waits again, and is not lost."""
    ours, theirs = pair
    read = bytearray()

    def take() -> bool:
        read.extend(ours.recv(1))
        return True

    watch = ReadWatch(ours, between_waits=False)
    theirs.send(b"ab")
    await watch.until_read(take)
    for _ in range(3):
        await anyio.lowlevel.checkpoint()

    assert read == b"a"
    await watch.until_read(take)
    watch.stop()
    assert read == b"ab"


@pytest.mark.anyio
@EACH_LOOP
async def test_waiting_until_a_time(pair: Pair) -> None:
    """A socket is ready in time or it is not; and nothing watches it afterwards."""
    ours, theirs = pair
    assert await until_writable(ours)
    assert not await until_readable(ours, anyio.current_time())
    with anyio.move_on_after(0) as scope:
        await until_readable(ours)

    assert scope.cancelled_caught
    theirs.send(b"x")
    assert await until_readable(ours, anyio.current_time() + LIMIT)
    assert ours.recv(1) == b"x"
    fill(ours)
    assert not await until_writable(ours, anyio.current_time())


@pytest.mark.anyio
@EACH_LOOP
async def test_waiting_to_write(pair: Pair) -> None:
    """A socket that cannot be written may bring something: the wait ends without being late."""
    ours, _ = pair
    watch = ReadWatch(ours)
    await watch.until_writable(math.inf)
    fill(ours)
    await watch.until_writable(anyio.current_time())
    await watch.until_writable(math.inf)
    with pytest.raises(BlockingIOError):
        ours.send(b"x")
