"""The gate bounds what makes progress, and nothing that is silent can hold it shut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from aiodps.transports import gate as gate_module
from aiodps.transports.gate import (
    MOST_PATIENCE,
    MOST_PLACES,
    PATIENCE,
    PLACES,
    Gate,
    current_gate,
    round_trip,
)

pytestmark = pytest.mark.anyio


async def settled() -> None:
    """Let all other tasks go as far as they can."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


async def test_no_more_than_there_are_places_are_inside() -> None:
    """The others queue, and get in one by one in the order they came."""
    gate, entered = Gate(), list[int]()
    finish = [anyio.Event() for _ in range(PLACES + 3)]

    async def one(number: int) -> None:
        async with gate.place():
            entered.append(number)
            await finish[number].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(len(finish)):
            tasks.start_soon(one, number)
            await settled()

        inside, first = gate.inside, len(entered)
        for event in finish:
            event.set()
            await settled()

    assert inside == first == PLACES
    assert entered == list(range(len(finish)))
    assert gate.inside == 0


async def _fail(gate: Gate) -> None:
    async with gate.place() as place:
        place.waited = 100.0
        raise ConnectionError


async def test_an_error_gives_the_place_back() -> None:
    """Otherwise a fleet that fails would shut the gate for good; failures set no measure."""
    gate = Gate()
    for _ in range(PLACES * 2):
        with pytest.raises(ConnectionError):
            await _fail(gate)

    assert gate.inside == 0
    assert gate.patience == PATIENCE


@contextlib.asynccontextmanager
async def full(gate: Gate) -> AsyncIterator[anyio.Event]:
    """Take all places; give the event that lets one of them go, and let all go at the end."""
    one, all_ = anyio.Event(), anyio.Event()

    async def hold(event: anyio.Event) -> None:
        async with gate.place():
            await event.wait()

    async with anyio.create_task_group() as tasks:
        for event in [one, *[all_] * (PLACES - 1)]:
            tasks.start_soon(hold, event)

        await settled()
        yield one
        one.set()
        all_.set()


@pytest.mark.parametrize("let_in", [False, True], ids=["queueing", "just let in"])
async def test_who_is_cancelled_in_the_queue_takes_no_place(*, let_in: bool) -> None:
    """Neither while queueing nor at the very moment the turn comes."""
    gate, scope = Gate(), anyio.CancelScope()

    async def queue() -> None:
        with scope:
            async with gate.place():
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks, full(gate) as one:
        tasks.start_soon(queue)
        await settled()
        if let_in:
            one.set()
            while gate._queue:
                await anyio.lowlevel.checkpoint()

        scope.cancel()
        await settled()
        inside = gate.inside

    assert inside == (PLACES - 1 if let_in else PLACES)
    assert gate.inside == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_asyncio_cancels_as_its_turn_comes_takes_no_place() -> None:
    """Asyncio's own cancellation reaches a task that was let in and has not run yet."""
    gate = Gate()

    async def queue() -> None:
        async with gate.place():
            await anyio.sleep_forever()

    async with full(gate) as one:
        task = asyncio.get_running_loop().create_task(queue())
        await settled()
        one.set()
        while gate._queue:
            await anyio.lowlevel.checkpoint()

        task.cancel()
        await settled()
        inside = gate.inside

    assert task.cancelled()
    assert inside == PLACES - 1
    assert gate.inside == 0


async def test_silence_costs_the_place_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited too long goes on waiting, and the next one gets in."""
    monkeypatch.setattr(gate_module, "PATIENCE", 0.01)
    gate, answer = Gate(), anyio.Event()
    results: list[float] = []

    async def silent() -> None:
        async with gate.place() as place:
            await place.wait(answer.wait)
            results.append(place.waited)

    async with anyio.create_task_group() as tasks:
        for _ in range(PLACES):
            tasks.start_soon(silent)

        await settled()
        async with gate.place():
            before = list(results)

        answer.set()

    assert before == []
    assert len(results) == PLACES
    assert max(results) > 0.01
    assert gate.inside == 0


async def test_waits_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that drips is never silent for long, and loses its place all the same."""
    monkeypatch.setattr(gate_module, "PATIENCE", 0.05)
    gate, held = Gate(), list[int]()

    async def drop() -> None:
        await anyio.sleep(0.02)

    async with gate.place() as place:
        for _ in range(4):
            await place.wait(drop)
            held.append(gate.inside)

    assert held[0] == 1
    assert held[-1] == 0


async def test_a_wait_that_fails_counts_too() -> None:
    """The error passes through, and the time is not lost."""
    gate = Gate()

    async def broken() -> None:
        await anyio.sleep(0.001)
        raise ConnectionResetError

    async with gate.place() as place:
        with pytest.raises(ConnectionResetError):
            await place.wait(broken)

    assert place.waited > 0


async def test_patience_follows_what_connections_usually_take() -> None:
    """Busy peers are waited for; one that is a hundred times slower than usual is not."""
    gate = Gate()
    usual: list[float] = []
    for waited in [0.0] * 40 + [0.4] * 40 + [5.0] * 40:
        async with gate.place() as place:
            place.waited = waited

        usual.append(gate.patience)

    assert usual[39] == PATIENCE
    assert usual[79] == pytest.approx(1.6)
    assert usual[119] == MOST_PATIENCE


@pytest.mark.parametrize(
    ("seconds", "places"),
    [(0.0, PLACES), (0.01, PLACES), (0.05, PLACES * 5), (0.1, PLACES * 10), (9.0, MOST_PLACES)],
)
def test_the_gate_widens_with_the_way(seconds: float, places: int) -> None:
    """Twice the round trip, twice the places."""
    gate = Gate()
    gate.note_round_trip(seconds)

    assert gate.places == places


def test_the_shortest_recent_way_counts() -> None:
    """One slow connection widens nothing; a way that has become long does."""
    gate = Gate()
    gate.note_round_trip(0.001)
    for _ in range(31):
        gate.note_round_trip(0.1)

    assert gate.places == PLACES

    gate.note_round_trip(0.1)

    assert gate.places == PLACES * 10


async def test_a_gate_that_widens_lets_in_at_once() -> None:
    """Nobody has to leave first."""
    gate = Gate()

    async def hold() -> None:
        async with gate.place():
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(hold)

        await settled()
        gate.note_round_trip(0.05)
        inside = gate.inside
        tasks.cancel_scope.cancel()

    assert inside == 100


def test_each_event_loop_has_its_own(anyio_backend: str) -> None:
    """And always the same one."""

    async def mine() -> tuple[Gate, Gate]:
        return current_gate(), current_gate()

    first, again = anyio.run(mine, backend=anyio_backend)
    other, _ = anyio.run(mine, backend=anyio_backend)

    assert first is again
    assert other is not first


def test_the_round_trip_is_the_kernels() -> None:
    """On loopback it is short, and what is no TCP connection has none."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        measured = round_trip(client)

    one, other = socket.socketpair()
    with one, other:
        unknown = round_trip(one)

    assert 0 < measured < 0.01
    assert unknown == 0
