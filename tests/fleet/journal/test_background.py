"""A background task of a block."""

from __future__ import annotations

import anyio
import pytest

from aiodps.fleet.journal.background import background_task

pytestmark = pytest.mark.anyio


async def test_it_ends_with_the_block() -> None:
    """It runs while the block does, and not after it."""
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("ended")

    async with background_task(work):
        await anyio.wait_all_tasks_blocked()
        assert seen == ["begun"]

    assert seen == ["begun", "ended"]


async def test_an_error_of_the_block_passes_as_it_is() -> None:
    """An error of the block is not wrapped in a group."""
    with pytest.raises(KeyError, match="mine"):
        async with background_task(anyio.sleep_forever):
            raise KeyError("mine")


async def test_cancelling_passes_too() -> None:
    """It cancels both."""
    with anyio.CancelScope() as scope:
        async with background_task(anyio.sleep_forever):
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught
