"""Frames over a pair of sockets: in order, whole, until the other end has gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import anyio
import pytest
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.frames import Enter, Frame, Leave
from tests.emulated import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Make a pair."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


async def test_frames_come_in_order_also_more_than_the_kernel_holds(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Posting never waits; the writer does."""
    one, other = map(Channel, ends)
    frames: list[Frame] = [Enter(session=n, client="x" * 20_000) for n in range(100)]
    arrived: list[Frame] = []
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.write)
            for frame in frames:
                one.post(frame)

            while len(arrived) < len(frames):
                arrived += await other.receive()

            tasks.cancel_scope.cancel()

    assert arrived == frames


async def test_the_end_of_the_other_side_is_no_frame(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """What it said before is heard; what is said to it is lost without a word."""
    one, other = map(Channel, ends)
    one.post(Leave(session=1))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.write)
            assert await other.receive() == [Leave(session=1)]
            ends[1].close()
            assert await one.receive() == []
            one.post(Leave(session=2))  # the writer ends by itself
