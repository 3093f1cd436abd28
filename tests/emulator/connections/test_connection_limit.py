"""Places for connections: who is silent longest makes room for newcomers."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack

import anyio
import pytest
from tests.emulator.tls_server import serving
from tests.virtual_time import elapse, virtual_time

from aiodps.emulator.connections import connection_limit as connection_limits
from aiodps.emulator.connections.connection_limit import (
    RESERVE,
    ConnectionLimit,
    descriptor_capacity,
    raise_descriptor_limit,
)
from aiodps.emulator.connections.timeouts import PeerTimeout

pytestmark = pytest.mark.anyio


async def test_a_place_is_given_back() -> None:
    """However the connection ends."""
    connection_limit = ConnectionLimit(2)
    with PeerTimeout() as peer_timeout, connection_limit.slot(peer_timeout):
        assert (connection_limit.taken, connection_limit.free) == (1, 0)
        connection_limit.mark_established(peer_timeout)
        assert (connection_limit.taken, connection_limit.free) == (1, 1)
        peer_timeout.end()
        await anyio.sleep_forever()

    assert connection_limit.taken == 0
    assert await connection_limit.wait() == 1


@virtual_time
async def test_handshaking_do_not_get_all_places_and_go_first() -> None:
    """A crowd that never shakes hands costs no device its connection."""
    connection_limit, ended = ConnectionLimit(4), list[str]()

    async def connection(name: str) -> None:
        with PeerTimeout() as peer_timeout, connection_limit.slot(peer_timeout):
            if name == "last_assignment":
                connection_limit.mark_established(peer_timeout)

            await anyio.sleep_forever()

        ended.append(name)

    async with anyio.create_task_group() as tasks:
        for name in ("last_assignment", "last_assignment", "stranger", "stranger"):
            tasks.start_soon(connection, name)

        await anyio.wait_all_tasks_blocked()
        assert connection_limit.free == 0

        await connection_limit.wait()
        tasks.cancel_scope.cancel()

    assert set(ended) == {"stranger"}


@virtual_time
async def test_a_newcomer_waits_while_everybody_talks() -> None:
    """And goes in when somebody leaves."""
    connection_limit = ConnectionLimit(1)
    with (
        anyio.move_on_after(60) as waiting,
        PeerTimeout() as peer_timeout,
        connection_limit.slot(peer_timeout),
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_talk, peer_timeout)
            await connection_limit.wait()

    assert waiting.cancelled_caught
    assert await connection_limit.wait() == 1


@virtual_time
async def test_who_is_silent_longest_makes_room() -> None:
    """Not who has just said something; and not before it has been silent for a while."""
    connection_limit, ended = ConnectionLimit(2), list[tuple[str, float]]()

    async def connection(name: str) -> None:
        with PeerTimeout() as peer_timeout, connection_limit.slot(peer_timeout):
            connection_limit.mark_established(peer_timeout)
            if name == "talks":
                await _talk(peer_timeout)

            await anyio.sleep_forever()

        ended.append((name, anyio.current_time() - began))

    async with anyio.create_task_group() as tasks:
        began = anyio.current_time()
        tasks.start_soon(connection, "silent")
        tasks.start_soon(connection, "talks")
        await anyio.wait_all_tasks_blocked()

        assert await connection_limit.wait() == 1
        ((name, lasted),) = ended
        tasks.cancel_scope.cancel()

    assert name == "silent"
    assert lasted == pytest.approx(connection_limits.SILENT_SECONDS, abs=0.2)


async def _talk(peer_timeout: PeerTimeout) -> None:
    while True:
        await elapse(1)
        peer_timeout.renew()


@pytest.mark.sockets
async def test_the_silent_do_not_keep_a_device_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slot is taken by a peer that says nothing, and a device that comes last is served.

    Anybody counts as silent here, so the device stays only because others have been idle longer:
    no measure of time is in it.
    """
    monkeypatch.setattr(connection_limits, "SILENT_SECONDS", 0)
    async with serving(ConnectionLimit(8)) as server, AsyncExitStack() as silent:
        for _ in range(20):
            await silent.enter_async_context(await anyio.connect_tcp("127.0.0.1", server.port))

        await server.ask(server.context())


@pytest.fixture
def limit() -> Iterator[int]:
    """Change the limit of descriptors at will."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_may_have_as_many_descriptors_as_it_is_allowed(limit: int) -> None:
    """The usual soft limit of 1024 is not for servers."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limit))
    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limit, limit)


def test_descriptors_are_left_for_the_rest(limit: int) -> None:
    """There are no more places than descriptors, however many of these there are."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limit))
    assert descriptor_capacity() == 1024 - RESERVE

    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limit))
    assert descriptor_capacity() == 64


def test_without_a_limit_there_still_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit is told as a negative number."""
    infinity = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (infinity, infinity))

    assert descriptor_capacity() == 100_000
