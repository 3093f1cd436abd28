"""Mutated requests, packets and frames against the fronts, in memory: as many as one likes.

`AIODPS_HOSTILE` says how many of each kind; `nox -s fuzz` asks for a million in all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

import anyio.lowlevel
import psutil
import pytest
from tests.emulator.hostile.mutations import hostile
from tests.emulator.in_memory import Emulated
from tests.scripted_client import mqtt_connect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
CASES = int(os.environ.get("AIODPS_HOSTILE", "600"))
ROUND = 200
"""Cases between two looks at how things stand."""
MOST_GROWTH = 48 << 20
"""Bytes. What is counted one by one has a limit, and that is reached on the way."""

FRAMES = frozenset({0x82, 0x88, 0x8A})
PACKETS = frozenset({0x20, 0x30, 0x32, 0x40, 0x90, 0xB0, 0xD0})
Judge: TypeAlias = Callable[[Sequence[bytes]], bool]


def _are_answers(sent: Sequence[bytes]) -> bool:
    """Whether it is HTTP, and no error of ours; after a change of protocol, frames."""
    for index, message in enumerate(sent):
        if message.startswith(b"HTTP/1.1 101 "):
            return all(each[0] in FRAMES for each in sent[index + 1 :])

        if not message.startswith(b"HTTP/1.1 ") or message[9:12] == b"500":
            return False

    return True


def _are_packets(sent: Sequence[bytes]) -> bool:
    """Whether it is MQTT; an answer with an error of ours would be on a topic with a 500."""
    return all(each[0] in PACKETS and b"/res/500/" not in each for each in sent)


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("http", b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100),
        ("mqtt", mqtt_connect() + b"\xc0\x00" * 100),
    ],
)
async def test_who_asks_many_things_at_once_lets_others_in_between(
    kind: str, piece: bytes
) -> None:
    """After each answer the others have their turn."""
    emulated, turns = Emulated(), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        sent = await emulated.hear(kind, [piece])
        tasks.cancel_scope.cancel()

    assert len(sent) >= 100
    assert turns >= 90


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # in memory, both loops do the same
@pytest.mark.parametrize(
    ("kind", "is_proper"),
    [("http", _are_answers), ("mqtt", _are_packets), ("websocket", _are_answers)],
)
async def test_fuzz_ends_in_proper_answers(
    kind: str, is_proper: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing fails, nothing grows, and devices are served all the while."""
    emulated = Emulated()
    process, before = psutil.Process(), 0
    for seed in range(CASES):
        pieces = hostile(kind, seed)
        try:
            sent = await emulated.hear(kind, pieces, breaks=seed % 5 == 0)
        except Exception as exc:
            raise AssertionError(f"{kind} {seed}: {pieces}") from exc

        assert is_proper(sent), (seed, pieces, sent)
        if seed % ROUND == 0:
            await anyio.lowlevel.checkpoint()
            assert await emulated.still_serves(), seed
            assert not caplog.records, seed
            before = before if seed > CASES // 4 else process.memory_info().rss

    assert process.memory_info().rss - before < MOST_GROWTH


def test_a_seed_says_the_same_again() -> None:
    """A failure can be repeated, and no two are alike."""
    for kind in ("http", "mqtt", "websocket"):
        assert hostile(kind, 7) == hostile(kind, 7)
        assert hostile(kind, 7) != hostile(kind, 8)
