"""The limiter bounds connections that make progress; silent peers cannot block it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest
from tests.virtual_time import elapse, on_virtual_asyncio, virtual_time

from aiodps.network.handshake_limiter import (
    DEFAULT_CAPACITY,
    MAX_CAPACITY,
    MAX_STALL_TIMEOUT,
    STALL_TIMEOUT,
    HandshakeLimiter,
    current_limiter,
    round_trip,
)

pytestmark = pytest.mark.anyio


async def settled() -> None:
    """Let all other tasks go as far as they can."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@virtual_time
async def test_no_more_slots_are_in_use_than_there_are() -> None:
    """The others queue, and get in one by one in the order they came."""
    limiter, entered = HandshakeLimiter(), list[int]()
    finish = [anyio.Event() for _ in range(DEFAULT_CAPACITY + 3)]

    async def one(number: int) -> None:
        async with limiter.slot():
            entered.append(number)
            await finish[number].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(len(finish)):
            tasks.start_soon(one, number)
            await settled()

        in_use, first = limiter.in_use, len(entered)
        for event in finish:
            event.set()
            await settled()

    assert in_use == first == DEFAULT_CAPACITY
    assert entered == list(range(len(finish)))
    assert limiter.in_use == 0


async def _fail(limiter: HandshakeLimiter) -> None:
    async with limiter.slot() as slot:
        slot.waited = 100.0
        raise ConnectionError


@virtual_time
async def test_an_error_releases_the_slot() -> None:
    """Otherwise a fleet that fails would block the limiter for good; failures set no measure."""
    limiter = HandshakeLimiter()
    for _ in range(DEFAULT_CAPACITY * 2):
        with pytest.raises(ConnectionError):
            await _fail(limiter)

    assert limiter.in_use == 0
    assert limiter.stall_timeout == STALL_TIMEOUT


@contextlib.asynccontextmanager
async def full(limiter: HandshakeLimiter) -> AsyncIterator[anyio.Event]:
    """Take all slots; give the event that releases one of them, and release all at the end."""
    one, all_ = anyio.Event(), anyio.Event()

    async def hold(event: anyio.Event) -> None:
        async with limiter.slot():
            await event.wait()

    async with anyio.create_task_group() as tasks:
        for event in [one, *[all_] * (DEFAULT_CAPACITY - 1)]:
            tasks.start_soon(hold, event)

        await settled()
        yield one
        one.set()
        all_.set()


@virtual_time
@pytest.mark.parametrize("let_in", [False, True], ids=["queueing", "just let in"])
async def test_who_is_cancelled_in_the_queue_takes_no_slot(*, let_in: bool) -> None:
    """Neither while queueing nor at the very moment the turn comes."""
    limiter, scope = HandshakeLimiter(), anyio.CancelScope()

    async def queue() -> None:
        with scope:
            async with limiter.slot():
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks, full(limiter) as one:
        tasks.start_soon(queue)
        await settled()
        if let_in:
            one.set()
            while limiter._queue:
                await anyio.lowlevel.checkpoint()

        scope.cancel()
        await settled()
        in_use = limiter.in_use

    assert in_use == (DEFAULT_CAPACITY - 1 if let_in else DEFAULT_CAPACITY)
    assert limiter.in_use == 0


@on_virtual_asyncio
async def test_a_task_that_asyncio_cancels_as_its_turn_comes_takes_no_slot() -> None:
    """Asyncio's own cancellation reaches a task that was let in and has not run yet."""
    limiter = HandshakeLimiter()

    async def queue() -> None:
        async with limiter.slot():
            await anyio.sleep_forever()

    async with full(limiter) as one:
        task = asyncio.get_running_loop().create_task(queue())
        await settled()
        one.set()
        while limiter._queue:
            await anyio.lowlevel.checkpoint()

        task.cancel()
        await settled()
        in_use = limiter.in_use

    assert task.cancelled()
    assert in_use == DEFAULT_CAPACITY - 1
    assert limiter.in_use == 0


@virtual_time
async def test_silence_costs_the_slot_and_nothing_else() -> None:
    """Who has waited too long goes on waiting, and the next one gets in."""
    limiter, answer = HandshakeLimiter(), anyio.Event()
    results: list[float] = []

    async def silent() -> None:
        async with limiter.slot() as slot:
            await slot.wait(answer.wait)
            results.append(slot.waited)

    async with anyio.create_task_group() as tasks:
        for _ in range(DEFAULT_CAPACITY):
            tasks.start_soon(silent)

        await settled()
        async with limiter.slot():
            before = list(results)

        answer.set()

    assert before == []
    assert len(results) == DEFAULT_CAPACITY
    assert min(results) >= STALL_TIMEOUT
    assert limiter.in_use == 0


@virtual_time
async def test_waits_add_up() -> None:
    """A peer that drips is never silent for long, and loses its slot all the same."""
    limiter, held = HandshakeLimiter(), list[int]()

    async def drop() -> None:
        await elapse(0.4 * STALL_TIMEOUT)

    async with limiter.slot() as slot:
        for _ in range(4):
            await slot.wait(drop)
            held.append(limiter.in_use)

    assert held == [1, 1, 0, 0]


@virtual_time
async def test_a_wait_that_fails_counts_too() -> None:
    """The error passes through, and the time is not lost."""
    limiter = HandshakeLimiter()

    async def broken() -> None:
        await elapse(0.1)
        raise ConnectionResetError

    async with limiter.slot() as slot:
        with pytest.raises(ConnectionResetError):
            await slot.wait(broken)

    assert slot.waited == pytest.approx(0.1)


@virtual_time
async def test_the_stall_timeout_follows_what_connections_usually_take() -> None:
    """Busy peers are waited for; one that is a hundred times slower than usual is not."""
    limiter = HandshakeLimiter()
    usual: list[float] = []
    for waited in [0.0] * 40 + [0.4] * 40 + [5.0] * 40:
        async with limiter.slot() as slot:
            slot.waited = waited

        usual.append(limiter.stall_timeout)

    assert usual[39] == STALL_TIMEOUT
    assert usual[79] == pytest.approx(1.6)
    assert usual[119] == MAX_STALL_TIMEOUT


@virtual_time
async def test_a_busy_peer_does_not_lift_the_limit() -> None:
    """One that needs 15 ms for each makes 32 wait for half a second: they keep their slots.

    Only the first wave may release slots, before anything is known about the peer: so there are
    never more than two waves, where without the rule there would be all 160.
    """
    limiter, turn, under_way, most = HandshakeLimiter(), anyio.Lock(), 0, 0

    async def shake_hands() -> None:
        async with turn:
            await elapse(0.015)

    async def one() -> None:
        nonlocal under_way, most
        async with limiter.slot() as slot:
            under_way += 1
            most = max(most, under_way)
            await slot.wait(shake_hands)
            under_way -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5 * DEFAULT_CAPACITY):
            tasks.start_soon(one)

    assert DEFAULT_CAPACITY < most <= 2 * DEFAULT_CAPACITY


@pytest.mark.parametrize(
    ("seconds", "capacity"),
    [
        (0.0, DEFAULT_CAPACITY),
        (0.01, DEFAULT_CAPACITY),
        (0.05, DEFAULT_CAPACITY * 5),
        (0.1, DEFAULT_CAPACITY * 10),
        (9.0, MAX_CAPACITY),
    ],
)
def test_capacity_grows_with_the_round_trip_time(seconds: float, capacity: int) -> None:
    """Twice the round trip, twice the slots."""
    limiter = HandshakeLimiter()
    limiter.record_rtt(seconds)

    assert limiter.capacity == capacity


def test_the_shortest_recent_way_counts() -> None:
    """One slow connection widens nothing; a way that has become long does."""
    limiter = HandshakeLimiter()
    limiter.record_rtt(0.001)
    for _ in range(31):
        limiter.record_rtt(0.1)

    assert limiter.capacity == DEFAULT_CAPACITY

    limiter.record_rtt(0.1)

    assert limiter.capacity == DEFAULT_CAPACITY * 10


@virtual_time
async def test_a_growing_capacity_grants_slots_at_once() -> None:
    """No slot has to be released first."""
    limiter = HandshakeLimiter()

    async def hold() -> None:
        async with limiter.slot():
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(hold)

        await settled()
        limiter.record_rtt(0.05)
        in_use = limiter.in_use
        tasks.cancel_scope.cancel()

    assert in_use == 100


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_event_loop_has_its_own(backend: str) -> None:
    """And always the same one."""

    async def mine() -> tuple[HandshakeLimiter, HandshakeLimiter]:
        return current_limiter(), current_limiter()

    first, again = anyio.run(mine, backend=backend)
    other, _ = anyio.run(mine, backend=backend)

    assert first is again
    assert other is not first


@pytest.mark.sockets
def test_the_round_trip_is_the_kernels() -> None:
    """In seconds, and what is no TCP connection has none."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        measured = round_trip(client)

    one, other = socket.socketpair()
    with one, other:
        unknown = round_trip(one)

    assert 0 < measured < 1
    assert unknown == 0
