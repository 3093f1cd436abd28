"""Whoever has no token cannot keep the operator out."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from tests.virtual_time import elapse, virtual_time

from aiodps.emulator.admin.strangers import GRACE, MOST, SECONDS, Strangers
from aiodps.emulator.connections.timeouts import PeerTimeout

pytestmark = pytest.mark.anyio


class Crowd:
    """Connections that wait until they are ended."""

    def __init__(self) -> None:
        self.strangers = Strangers()
        self.known: list[Callable[[], None]] = []
        self.ended: list[int] = []

    async def connect(self) -> None:
        """Hold a connection; its number is that of its arrival."""
        number = len(self.known)
        with PeerTimeout() as peer_timeout, self.strangers.admitted(peer_timeout) as known:
            self.known.append(known)
            await anyio.sleep_forever()

        self.ended.append(number)


@virtual_time
async def test_a_stranger_has_a_few_seconds_whatever_it_sends() -> None:
    """Who has shown the token may stay."""
    crowd = Crowd()
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(crowd.connect)

        await anyio.wait_all_tasks_blocked()
        crowd.known[1]()
        await elapse(SECONDS + 1)
        assert crowd.ended == [0]
        tasks.cancel_scope.cancel()


@virtual_time
async def test_the_oldest_stranger_ends_for_the_newest() -> None:
    """But not at once: its request may be there already; who is known never does."""
    crowd = Crowd()
    async with anyio.create_task_group() as tasks:
        for _ in range(MOST + 3):
            tasks.start_soon(crowd.connect)

        await anyio.wait_all_tasks_blocked()
        assert crowd.ended == []
        crowd.known[0]()
        await elapse(GRACE * 2)
        tasks.start_soon(crowd.connect)
        await anyio.wait_all_tasks_blocked()
        assert sorted(crowd.ended) == [1, 2, 3]
        tasks.cancel_scope.cancel()
