"""The same over real connections, many at once: other devices notice nothing.

`AIODPS_HOSTILE_CONNECTIONS` says how many; `nox -s fuzz` asks for tens of thousands.
"""

from __future__ import annotations

import os
import random
import ssl
from collections.abc import Iterable

import anyio
import anyio.lowlevel
import psutil
import pytest
from anyio.abc import ByteStream
from tests.emulated import SCOPE, device, running
from tests.emulator.hostile.mutations import hostile, mutate
from tests.leftovers import descriptors
from tests.scripted_client import client_context, connect, http

from aiodps.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
CONNECTIONS = int(os.environ.get("AIODPS_HOSTILE_CONNECTIONS", "120"))
AT_ONCE = 20
LISTEN_SECONDS = 0.02
"""How long a hostile peer listens before it leaves, if nobody closes the connection."""
MOST_GROWTH = 48 << 20
ROUND = 100
HELLO = bytes.fromhex("1603010200010001fc0303" + "ab" * 32 + "20" + "cd" * 32 + "0004130113020100")
"""The beginning of a handshake."""


async def test_fuzz_disturbs_no_other_device(caplog: pytest.LogCaptureFixture) -> None:
    """Broken TLS, and broken conversations inside of it; some peers reset the connection."""
    process, before = psutil.Process(), 0
    for begin in range(0, CONNECTIONS, ROUND):
        async with running() as dps:
            await _disturb_all(dps, range(begin, min(begin + ROUND, CONNECTIONS)))

        before = before or process.memory_info().rss

    assert process.memory_info().rss - before < MOST_GROWTH
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def _disturb_all(dps: Emulator, seeds: Iterable[int]) -> None:
    """Let a device register meanwhile; see that no connection is left."""
    context, before = client_context(dps, device()), descriptors()
    gate = anyio.CapacityLimiter(AT_ONCE)
    async with anyio.create_task_group() as tasks:
        for seed in seeds:
            tasks.start_soon(_disturb, dps, context, seed, gate)

        await _register(dps)

    while descriptors() - before:
        await anyio.lowlevel.checkpoint()


async def _disturb(
    dps: Emulator, context: ssl.SSLContext, seed: int, gate: anyio.CapacityLimiter
) -> None:
    dice = random.Random(seed)  # noqa: S311 (repeatable)
    kind = dice.choice(("http", "mqtt", "websocket", "tls"))
    port = dps.mqtt_port if kind == "mqtt" else dps.https_port
    async with gate:
        if kind == "tls":
            async with await anyio.connect_tcp("127.0.0.1", port) as plain:
                await _pour(plain, [mutate(HELLO, dice)])
        else:
            async with await connect(port, context) as stream:
                await _pour(stream, hostile(kind, seed))


async def _pour(stream: ByteStream, pieces: Iterable[bytes]) -> None:
    """Send, and read what comes back, until either side has enough."""
    try:
        with anyio.move_on_after(1.0):
            for piece in pieces:
                await stream.send(piece)

        with anyio.move_on_after(LISTEN_SECONDS):
            while True:
                await stream.receive()
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        pass


async def _register(dps: Emulator) -> None:
    async with http(dps, device()) as client:
        path = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"
        assert (await client.ask("PUT", path, b"{}")).status == 202
