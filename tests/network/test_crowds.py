"""Crowds at one endpoint, on virtual time: the figures that the handshake limiter is held to."""

from __future__ import annotations

import anyio
import pytest
from tests.network.crowds import InOrder, Model, SomeAtOnce, after, all_done, say_nothing, settled
from tests.virtual_time import elapse, on_virtual_asyncio

from aiodps.network.dial import TLS_TIMEOUT
from aiodps.network.handshake_limiter import (
    LEAST_CAPACITY,
    STALL_TIMEOUT,
    HandshakeLimiter,
    handshake_turn,
    limiter_for,
)

pytestmark = [pytest.mark.anyio, on_virtual_asyncio, pytest.mark.simulation]
SILENT = 5_000
HEALTHY = 50


@pytest.mark.parametrize("port", [443, 8883], ids=["same endpoint", "other endpoint"])
async def test_fifty_behind_five_thousand_that_are_silent(port: int) -> None:
    """At the same endpoint they wait as long as 5,000 take to be let go, at another not at all."""
    silent, healthy = limiter_for("dps.test", 443), Model(limiter_for("dps.test", port))
    async with anyio.create_task_group() as tasks:
        for _ in range(SILENT):
            tasks.start_soon(say_nothing, silent)

        await settled()
        waited = await all_done(healthy, HEALTHY, after(0.1))
        tasks.cancel_scope.cancel()

    behind = SILENT // LEAST_CAPACITY * STALL_TIMEOUT if port == 443 else 0.0
    assert behind < 10
    assert waited == pytest.approx(behind + 0.1)


async def test_a_server_that_serves_two_hundred_at_once() -> None:
    """A second for each: 2,000 take 10 s at best, and no more than 13."""
    assert await all_done(Model(), 2000, SomeAtOnce(200, 1.0)) < 13


async def test_a_thousand_over_a_long_way() -> None:
    """TCP and TLS are three round trips of 100 ms, and two steps of a millisecond on this side."""

    async def step(seconds: float) -> None:
        async with handshake_turn():
            await elapse(seconds)

    async def server() -> None:
        await elapse(0.1)
        await step(0.001)
        await elapse(0.1)
        await step(0.001)
        await elapse(0.1)

    assert await all_done(Model(), 1000, server) < 3


@pytest.mark.parametrize("unlimited", [False, True], ids=["limited", "unlimited"])
async def test_a_burst_needs_the_limiter(*, unlimited: bool) -> None:
    """At 285 a second: with it none waits long for the server, without it most run out of time."""
    waits: list[float] = []
    model, server = (
        Model(HandshakeLimiter(handshake_turn(), unlimited=unlimited)),
        InOrder(1 / 285),
    )

    async def measured() -> None:
        began = anyio.current_time()
        await server()
        waits.append(anyio.current_time() - began)

    took = await all_done(model, 3_000, measured)
    late = sum(wait > TLS_TIMEOUT for wait in waits)

    assert took == pytest.approx(3_000 / 285)
    assert late == (3_000 - 2_850 if unlimited else 0)
