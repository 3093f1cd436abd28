"""A background task that ends with a block of code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def background_task(
    function: Callable[[], Coroutine[Any, Any, Any]],
) -> AsyncIterator[None]:
    """Run a function until the block ends; an error of the block is not wrapped in a group."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(function)
        try:
            yield
        except Exception as error:  # noqa: BLE001 (raised below)
            failure = error

        tasks.cancel_scope.cancel()

    if failure is not None:
        raise failure
