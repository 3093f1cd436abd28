"""Delivery of responses under a fault: damage, slow sending, closed connections."""

from __future__ import annotations

import random
from typing import Final, NoReturn

import anyio

from aiodps.emulator.connections.delivery import Delivery, Ending, Part
from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.connections.timeouts import PeerTimeout

SEND_SECONDS: Final = 60.0
"""Seconds in which a peer must accept some bytes of a response."""
SILENCE_SECONDS: Final = 600.0
"""Seconds for which a silent connection is kept open."""
_NOISE_BYTES: Final = 256


def damage(content: bytes, delivery: Delivery | None) -> bytes:
    """Damage the body of a response as a fault demands."""
    if delivery is None:
        return content

    # White space before the JSON: valid but for its length.
    return _damaged(content, delivery, Part.BODY).rjust(delivery.oversize)


async def deliver(stream: Stream, message: bytes, delivery: Delivery) -> None:
    """Send a response as the fault demands.

    Args:
        stream: Where to.
        message: The whole response as it would be sent without a fault, its body already damaged.
        delivery: What the fault demands.

    Raises:
        PeerLostError: If the fault ends the connection, or the peer did.
    """
    await _wait(stream.peer_timeout, delivery.delay)
    if delivery.sent:
        await _send(stream, _damaged(message, delivery, Part.MESSAGE), delivery)

    if delivery.ending is not None:
        await end(stream, delivery.ending)

    if Part.MESSAGE in {delivery.garbage, delivery.truncate}:
        await end(stream, Ending.CLOSE)


async def end(stream: Stream, ending: Ending) -> NoReturn:
    """End a connection.

    Raises:
        PeerLostError: Always.
    """
    match ending:
        case Ending.CLOSE:
            await stream.linger()
        case Ending.RESET:
            stream.reset()
        case Ending.SILENCE:
            stream.peer_timeout.start(silence=SILENCE_SECONDS)
            while await stream.receive():
                pass

    raise PeerLostError("a fault has ended the connection", explained=False)


def _damaged(content: bytes, delivery: Delivery, part: Part) -> bytes:
    """Damage this part of a response; noise is the same for the same request of a device."""
    if delivery.garbage is part:
        content = random.Random(delivery.noise).randbytes(_NOISE_BYTES)  # noqa: S311 (no secret)

    return content[: len(content) // 2] if delivery.truncate is part else content


async def _send(stream: Stream, message: bytes, delivery: Delivery) -> None:
    drip = delivery.drip
    if drip is None:
        await stream.send(message)
        return

    for begin in range(0, len(message), drip.size):
        if begin:
            await _wait(stream.peer_timeout, drip.every)

        await stream.send(message[begin : begin + drip.size])


async def _wait(peer_timeout: PeerTimeout, seconds: float) -> None:
    peer_timeout.start(silence=seconds + SEND_SECONDS)
    await anyio.sleep(seconds)
