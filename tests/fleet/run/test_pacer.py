"""Starts: what latency is counted from."""

from __future__ import annotations

import anyio
import pytest
from tests.virtual_time import elapse, virtual_time

from aiodps.fleet.plan.arrivals import Burst, Closed, Open
from aiodps.fleet.run.pacer import Pacer

pytestmark = [pytest.mark.anyio, virtual_time]


async def test_full_concurrency_does_not_move_the_schedule() -> None:
    """A device that queues for a slot was due before: no coordinated omission."""
    zero = anyio.current_time()
    pacer = Pacer(Open(rate=1, concurrency=1), [0.0, 0.0, 0.01], zero=zero, limit_rate=None)
    first = await pacer.next_start(0)
    await elapse(0.05)
    pacer.release()
    freed = anyio.current_time()
    second = await pacer.next_start(1)
    await elapse(0.02)
    pacer.release()
    third = await pacer.next_start(2)

    assert (first.intended, first.possible) == (zero, zero)
    assert second.intended == zero
    assert second.possible == freed
    assert third.intended == zero + 0.01
    assert third.possible == freed + 0.02


async def test_closed_arrivals_begin_when_another_has_ended() -> None:
    """The first ones at zero, each next one when a slot became free."""
    zero = anyio.current_time()
    pacer = Pacer(Closed(concurrency=2), None, zero=zero, limit_rate=None)
    first = [await pacer.next_start(index) for index in range(2)]
    await elapse(0.02)
    pacer.release()
    freed = anyio.current_time()
    await elapse(0.02)
    third = await pacer.next_start(2)

    assert [start.intended for start in first] == [zero, zero]
    assert third.intended == third.possible == freed


async def test_a_limit_moves_the_intended_start() -> None:
    """Six hundred a minute: one each tenth of a second, and nobody was wanted earlier."""
    zero = anyio.current_time()
    pacer = Pacer(Closed(concurrency=5), None, zero=zero, limit_rate=600)
    starts = [await pacer.next_start(index) for index in range(3)]

    assert [start.intended - zero for start in starts] == pytest.approx([0, 0.1, 0.2])
    assert anyio.current_time() - zero == pytest.approx(0.2)


async def test_nobody_waits_in_a_burst_without_a_limit() -> None:
    """All are wanted at zero, and nothing holds them back."""
    zero = anyio.current_time()
    pacer = Pacer(Burst(), [0.0] * 100, zero=zero, limit_rate=None)
    starts = [await pacer.next_start(index) for index in range(100)]
    pacer.release()

    assert {(start.intended, start.possible) for start in starts} == {(zero, zero)}
