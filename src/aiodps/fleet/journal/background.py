"""Something that runs beside a block of code, and ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio


@asynccontextmanager
async def background_task(work: Callable[[], Coroutine[Any, Any, Any]]) -> AsyncIterator[None]:
    """Run something until the block ends; an error of the block passes as it is, in no group."""
    trouble: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            yield
        except Exception as error:  # noqa: BLE001 (raised below)
            trouble = error

        tasks.cancel_scope.cancel()

    if trouble is not None:
        raise trouble
