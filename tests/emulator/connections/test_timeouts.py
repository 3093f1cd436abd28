"""One deadline for a connection, moved as the peer makes progress."""

from __future__ import annotations

import anyio
import pytest

from aiodps.emulator.connections.timeouts import PeerTimeout

pytestmark = pytest.mark.anyio
EVER = 3600.0


async def test_silence_ends_it() -> None:
    """Nothing is said for too long."""
    with PeerTimeout() as peer_timeout:
        peer_timeout.start(silence=0.01)
        await anyio.sleep(EVER)


async def test_progress_renews_it_but_not_beyond_the_total() -> None:
    """A peer that drips bytes is ended all the same."""
    steps = 0
    with PeerTimeout() as peer_timeout:
        peer_timeout.start(silence=EVER, total=0.05)
        while True:
            await anyio.sleep(0.001)
            peer_timeout.renew()
            steps += 1

    assert steps > 1


async def test_a_new_beginning_forgets_the_old_deadline() -> None:
    """What comes next has its own time."""
    finished = False
    with PeerTimeout() as peer_timeout:
        peer_timeout.start(silence=0.01)
        peer_timeout.start(silence=EVER)
        await anyio.sleep(0.03)
        finished = True

    assert finished


async def test_some_time_is_left_though_most_was_taken() -> None:
    """Whoever must answer now is given what it needs, and what is there already is kept."""
    finished = False
    with PeerTimeout() as peer_timeout:
        peer_timeout.start(silence=EVER)
        peer_timeout.ensure(0.01)
        await anyio.sleep(0.03)
        peer_timeout.start(silence=0.01)
        peer_timeout.ensure(EVER)
        await anyio.sleep(0.03)
        finished = True

    assert finished


async def test_it_can_be_ended_from_outside() -> None:
    """As when a second client takes the first one's place."""
    async with anyio.create_task_group() as tasks:
        with PeerTimeout() as peer_timeout:
            peer_timeout.start(silence=EVER)
            tasks.start_soon(_end, peer_timeout)
            await anyio.sleep(EVER)


async def _end(peer_timeout: PeerTimeout) -> None:
    peer_timeout.end()
