"""One deadline for a connection, moved as the peer makes progress."""

from __future__ import annotations

import anyio
import pytest
from tests.virtual_time import elapse, virtual_time

from aiodps.emulator.connections.timeouts import PeerTimeout

pytestmark = [pytest.mark.anyio, virtual_time]


async def lasts(peer_timeout: PeerTimeout, seconds: float) -> bool:
    """Tell whether it lasts that long without progress, and not a second longer."""
    began = anyio.current_time()
    with peer_timeout:
        await anyio.sleep_forever()

    return anyio.current_time() - began == pytest.approx(seconds)


async def test_silence_ends_it() -> None:
    """Nothing is said for too long."""
    peer_timeout = PeerTimeout()
    peer_timeout.start(silence=30)

    assert await lasts(peer_timeout, 30)


async def test_progress_renews_it_but_not_beyond_the_total() -> None:
    """A peer that drips bytes is ended all the same."""
    began, steps = anyio.current_time(), 0
    with PeerTimeout() as peer_timeout:
        peer_timeout.start(silence=10, total=60)
        while True:
            await elapse(5)
            peer_timeout.renew()
            steps += 1

    assert anyio.current_time() - began == pytest.approx(60)
    assert steps in {11, 12}


async def test_a_new_beginning_forgets_the_old_deadline() -> None:
    """What comes next has its own time."""
    peer_timeout = PeerTimeout()
    peer_timeout.start(silence=1)
    peer_timeout.start(silence=3600)

    assert await lasts(peer_timeout, 3600)


@pytest.mark.parametrize(("silence", "left", "lasting"), [(3600, 1, 3600), (1, 3600, 3600)])
async def test_some_time_is_left_though_most_was_taken(
    silence: float, left: float, lasting: float
) -> None:
    """Whoever must answer now is given what it needs, and what is there already is kept."""
    peer_timeout = PeerTimeout()
    peer_timeout.start(silence=silence)
    peer_timeout.ensure(left)

    assert await lasts(peer_timeout, lasting)


async def test_it_can_be_ended_from_outside() -> None:
    """As when a second client takes the first one's place."""
    peer_timeout = PeerTimeout()
    peer_timeout.start(silence=3600)
    peer_timeout.end()

    assert await lasts(peer_timeout, 0)
