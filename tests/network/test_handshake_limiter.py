"""The limiter bounds handshakes that make progress, and nothing that is silent holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import random
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from tests.network.crowds import InOrder, Model, after, in_time, settled
from tests.virtual_time import elapse, on_virtual_asyncio, virtual_time

from aiodps.network.handshake_limiter import (
    LEAST_CAPACITY,
    MAX_CAPACITY,
    STALL_TIMEOUT,
    HandshakeLimiter,
    Slot,
    handshake_turn,
    lift_handshake_limit,
    limiter_for,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@virtual_time
async def test_no_more_than_there_are_slots_are_under_way() -> None:
    """The others queue, and get in when one is done."""
    limiter, entered = HandshakeLimiter(handshake_turn()), list[int]()
    finish = [anyio.Event() for _ in range(LEAST_CAPACITY + 3)]

    async def one(number: int) -> None:
        async with limiter.slot():
            entered.append(number)
            await finish[number].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(len(finish)):
            tasks.start_soon(one, number)
            await settled()

        taken, first = limiter.in_use, len(entered)
        for event in finish:
            event.set()
            await settled()

    assert taken == first == LEAST_CAPACITY
    assert entered[:LEAST_CAPACITY] == list(range(LEAST_CAPACITY))
    assert sorted(entered) == list(range(len(finish)))
    assert limiter.in_use == 0


async def _fail(limiter: HandshakeLimiter) -> None:
    async with limiter.slot() as slot:
        slot.waited = 100.0
        raise ConnectionError


@virtual_time
async def test_an_error_gives_the_slot_back_and_teaches_nothing() -> None:
    """Otherwise a fleet that fails would shut itself out."""
    limiter = HandshakeLimiter(handshake_turn())
    for _ in range(LEAST_CAPACITY * 2):
        with pytest.raises(ConnectionError):
            await _fail(limiter)

    assert limiter.in_use == 0
    assert (limiter.stall_timeout, limiter.capacity) == (STALL_TIMEOUT, LEAST_CAPACITY)


@contextlib.asynccontextmanager
async def full(limiter: HandshakeLimiter) -> AsyncIterator[anyio.Event]:
    """Take all slots; give the event that lets one of them go, and let all go at the end."""
    one, all_ = anyio.Event(), anyio.Event()

    async def hold(event: anyio.Event) -> None:
        async with limiter.slot():
            await event.wait()

    async with anyio.create_task_group() as tasks:
        for event in [one, *[all_] * (LEAST_CAPACITY - 1)]:
            tasks.start_soon(hold, event)

        await settled()
        yield one
        one.set()
        all_.set()


@virtual_time
@pytest.mark.parametrize("let_in", [False, True], ids=["queueing", "just let in"])
async def test_who_is_cancelled_in_the_queue_takes_no_slot(*, let_in: bool) -> None:
    """Neither while queueing nor at the very moment the turn comes."""
    limiter, scope = HandshakeLimiter(handshake_turn()), anyio.CancelScope()

    async def queue() -> None:
        with scope:
            async with limiter.slot():
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks, full(limiter) as one:
        tasks.start_soon(queue)
        await settled()
        if let_in:
            one.set()
            while limiter._slots.statistics().tasks_waiting:
                await anyio.lowlevel.checkpoint()

        scope.cancel()
        await settled()
        taken = limiter.in_use

    assert taken == (LEAST_CAPACITY - 1 if let_in else LEAST_CAPACITY)
    assert limiter.in_use == 0


@on_virtual_asyncio
async def test_a_task_that_asyncio_cancels_as_its_turn_comes_takes_no_slot() -> None:
    """Asyncio's own cancellation reaches a task that was let in and has not run yet."""
    limiter = HandshakeLimiter(handshake_turn())

    async def queue() -> None:
        async with limiter.slot():
            await anyio.sleep_forever()

    async with full(limiter) as one:
        task = asyncio.get_running_loop().create_task(queue())
        await settled()
        one.set()
        while limiter._slots.statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()

        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

        taken = limiter.in_use

    assert task.cancelled()
    assert taken == LEAST_CAPACITY - 1
    assert limiter.in_use == 0


@on_virtual_asyncio
async def test_silent_peers_cost_a_stall_timeout_for_each_load_of_slots() -> None:
    """400 that say nothing, and one that answers at once behind them, at the same endpoint."""
    model, began = Model(), anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(model.handshake, anyio.sleep_forever)

        await settled()
        await model.handshake(after(0.0))
        tasks.cancel_scope.cancel()

    (done,) = model.done
    assert done - began == pytest.approx(400 // LEAST_CAPACITY * STALL_TIMEOUT)
    assert model.limiter.in_use == 0


@on_virtual_asyncio
async def test_who_comes_through_does_not_hide_the_silent() -> None:
    """200 a second, three of ten silent for 10 s: who is overtaken gives its slot back."""
    model, began = Model(), anyio.current_time()
    late: list[float] = []

    async def device(number: int) -> None:
        if number % 10 < 3:
            with anyio.move_on_after(10):
                await model.handshake(anyio.sleep_forever)

            return

        await model.handshake(after(0.05))
        late.append(anyio.current_time() - began - number / 200)

    async with anyio.create_task_group() as tasks:
        for number in range(200 * 3):
            await elapse(began + number / 200 - anyio.current_time())
            tasks.start_soon(device, number)

    assert max(late) < 0.1


@on_virtual_asyncio
async def test_a_slow_server_is_not_overrun() -> None:
    """One that serves 20 a second in order: nobody is overtaken, and the slots are kept."""
    model, server = Model(), InOrder(0.05)
    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(model.handshake, server)

    assert len(model.done) == 400
    assert model.most <= LEAST_CAPACITY + 2


@on_virtual_asyncio
async def test_a_memory_of_busy_times_is_not_patient_with_silence() -> None:
    """After a slow server's handshakes, silent peers are let go after 250 ms as before."""
    model, server = Model(), InOrder(0.05)
    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(model.handshake, server)

    busy = model.limiter.stall_timeout
    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(model.handshake, anyio.sleep_forever)

        await settled()
        began = anyio.current_time()
        await model.handshake(after(0.0))
        took = anyio.current_time() - began
        tasks.cancel_scope.cancel()

    assert busy > 5
    assert took < busy + 400 / LEAST_CAPACITY * STALL_TIMEOUT + 1


@on_virtual_asyncio
async def test_capacity_follows_the_way() -> None:
    """600 ms for each, however many: time goes into the way, and more are let in."""
    model, began = Model(), anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(2500):
            tasks.start_soon(model.handshake, after(0.6))

    assert anyio.current_time() - began < 4
    assert model.limiter.capacity == MAX_CAPACITY


@on_virtual_asyncio
async def test_capacity_shrinks_when_they_wait_for_each_other() -> None:
    """What grew on a quiet day does not overrun the server on a busy one."""
    model = Model()
    async with anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(model.handshake, after(0.3))

    grown, server = model.limiter.capacity, InOrder(0.01)
    async with anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(model.handshake, server)

    assert grown > 2 * LEAST_CAPACITY
    assert model.limiter.capacity == LEAST_CAPACITY


@virtual_time
async def test_capacity_does_not_grow_while_slots_are_free() -> None:
    """A quiet hour, one handshake after the other, prepares nothing."""
    model = Model()
    for _ in range(3 * LEAST_CAPACITY):
        await model.handshake(after(0.01))

    assert model.limiter.capacity == LEAST_CAPACITY


@virtual_time
async def test_a_peer_that_drips_loses_its_slot() -> None:
    """It is never silent for long, but nobody comes through."""
    limiter, held = HandshakeLimiter(handshake_turn()), list[int]()

    async def drop() -> None:
        await elapse(0.4 * STALL_TIMEOUT)

    async with limiter.slot() as slot:
        for _ in range(4):
            await slot.wait(in_time(drop))
            held.append(limiter.in_use)

    assert held == [1, 1, 1, 0]
    assert slot.waited == pytest.approx(1.6 * STALL_TIMEOUT)


@virtual_time
async def test_two_waits_at_once_are_one() -> None:
    """Two addresses that are tried side by side do not wait twice; nor is a failed wait lost."""
    limiter = HandshakeLimiter(handshake_turn())

    async def broken() -> None:
        await elapse(0.1)
        raise ConnectionResetError

    async with limiter.slot() as slot:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slot.wait, in_time(after(0.05)))
            tasks.start_soon(slot.wait, in_time(after(0.1)))

        with pytest.raises(ConnectionResetError):
            await slot.wait(in_time(broken))

    assert slot.waited == pytest.approx(0.2)


@on_virtual_asyncio
async def test_a_load_generator_can_lift_the_limit() -> None:
    """100 a second at a server that takes a second for each: each takes a second."""
    lift_handshake_limit()
    model, began = Model(limiter_for("dps.test", 443)), anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(model.handshake, after(1.0))

    assert anyio.current_time() - began == pytest.approx(1.0)
    assert model.most == 400
    assert model.limiter.capacity == math.inf


KINDS: list[Callable[[], Awaitable[None]]] = [
    after(0.0),
    after(0.02),
    after(1.0),
    anyio.sleep_forever,
]


@virtual_time
@pytest.mark.parametrize("seed", range(4))
async def test_no_slot_is_ever_lost(seed: int) -> None:
    """Peers of all kinds, time limits, errors and cancellation at any moment: all slots are free."""
    draw, limiter = random.Random(seed), HandshakeLimiter(handshake_turn())  # noqa: S311 (a test's)

    async def one() -> None:
        await elapse(draw.uniform(0, 3))
        with anyio.move_on_after(draw.choice([0.0, 0.3, 5.0])), contextlib.suppress(OSError):
            async with limiter.slot() as slot:
                await slot.wait(in_time(draw.choice(KINDS)))
                if draw.random() < 0.2:
                    raise ConnectionResetError

    async with anyio.create_task_group() as tasks:
        for _ in range(400):
            tasks.start_soon(one)

        if seed % 2:
            await elapse(draw.uniform(0, 6))
            tasks.cancel_scope.cancel()

    assert limiter.in_use == 0
    assert limiter._slots.statistics().tasks_waiting == 0
    async with limiter.slot():
        assert limiter.in_use == 1


@virtual_time
async def test_endpoints_do_not_touch_each_other() -> None:
    """Each (host, port) has a limiter, which is forgotten when nobody uses it."""
    one, same, other = limiter_for("a", 1), limiter_for("a", 1), limiter_for("a", 2)

    assert one is same
    assert other is not one

    forgotten = weakref.ref(one)
    del one, same
    gc.collect()

    assert forgotten() is None
    assert limiter_for("a", 2) is other


@virtual_time
async def test_one_step_of_a_handshake_in_each_turn() -> None:
    """While devices take their steps, another task of the loop gets its turn between any two."""
    turns: list[str] = []

    async def device() -> None:
        for _ in range(3):
            async with handshake_turn():
                turns.append("step")

    async def other() -> None:
        while turns.count("step") < 30:
            turns.append("other")
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(device)

        tasks.start_soon(other)

    assert "step step step" not in " ".join(turns[1:])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_event_loop_has_its_own(backend: str) -> None:
    """And always the same one."""

    async def mine() -> tuple[HandshakeLimiter, HandshakeLimiter]:
        return limiter_for("a", 1), limiter_for("a", 1)

    first, again = anyio.run(mine, backend=backend)
    other, _ = anyio.run(mine, backend=backend)

    assert first is again
    assert other is not first


@virtual_time
async def test_the_wait_for_a_turn_is_told() -> None:
    """Who needs a turn while another has it is held back for that long; the first one is not."""
    slots = [Slot(HandshakeLimiter(handshake_turn())) for _ in range(3)]

    async def take_a_step(slot: Slot) -> None:
        async with slot.turn():
            await elapse(0.25)

    async with anyio.create_task_group() as tasks:
        for slot in slots:
            tasks.start_soon(take_a_step, slot)

    assert sorted(slot.held_back for slot in slots) == pytest.approx([0.0, 0.25, 0.5])
