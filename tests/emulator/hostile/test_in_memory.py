"""Mutated requests, packets and frames against the fronts, in memory: as many as one likes.

`AIODPS_HOSTILE` says how many of each kind; `nox -s fuzz` asks for a million in all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

import anyio
import psutil
import pytest
from tests import certificates
from tests.emulator.clients import REGISTER, SCOPE, device, fleet, mqtt_connect, mqtt_publish
from tests.emulator.hostile.mutations import BASE, VERSION, hostile
from tests.emulator.memory_stream import MemoryStream

from aiodps.emulator.connections.patience import Patience
from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.desk import LocalDesk
from aiodps.emulator.fronts.http import HttpFront
from aiodps.emulator.fronts.mqtt import MqttFront
from aiodps.emulator.journal import Counts
from aiodps.emulator.service.service import Service

pytestmark = pytest.mark.anyio
CASES = int(os.environ.get("AIODPS_HOSTILE", "1500"))
ROUND = 500
"""Cases between two looks at how things stand."""
MOST_GROWTH = 48 << 20
"""Bytes. What is counted one by one has a limit, and that is reached on the way."""
NOW = 1_700_000_000.0

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


class Emulated:
    """The emulator without sockets."""

    def __init__(self) -> None:
        service = Service(
            id_scope=SCOPE, linked_hubs=["hub.azure-devices.net"], enrollments=fleet()
        )
        root = certificates.root().certificate_pem
        service.certificates.upload("root", root, verified=True, now=NOW)
        self.desk = LocalDesk(service, Counts().note)
        self.mqtt = MqttFront(self.desk)
        self.http = HttpFront(self.desk, self.mqtt)

    async def hear(self, kind: str, pieces: Sequence[bytes], *, breaks: bool) -> list[bytes]:
        """Let a peer say something; return what it was told."""
        front: Callable[[Stream], object] = self.mqtt.serve if kind == "mqtt" else self.http.serve
        credential = device()
        shown = (credential.certificate, *credential.intermediates)
        with Patience() as patience:
            stream = MemoryStream(pieces, patience, shown, breaks=breaks)
            try:
                await front(stream)  # type: ignore[misc]  # both are coroutines
            except PeerLostError:
                assert breaks

        return stream.sent

    async def still_serves(self) -> bool:
        """Whether a device registers, over HTTP and over MQTT."""
        put = f"PUT {BASE}/register?{VERSION} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        http = await self.hear("http", [put], breaks=False)
        mqtt = await self.hear("mqtt", [mqtt_connect(), mqtt_publish(REGISTER)], breaks=False)
        return http[0].startswith(b"HTTP/1.1 202 ") and b"/res/202/" in mqtt[1]


@pytest.mark.parametrize(
    ("kind", "is_proper"),
    [("http", _are_answers), ("mqtt", _are_packets), ("websocket", _are_answers)],
)
async def test_fuzz_ends_in_proper_answers(
    kind: str, is_proper: Judge, caplog: pytest.LogCaptureFixture, anyio_backend: str
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
