"""A long link: a relay that holds back what it is given, each way, for half of a round trip.

    python -m benchmarks.link HERE THERE SECONDS PORT...

It needs no rights and no module of the kernel. What it cannot hold back is the kernel's answer to
`connect`; so the first bytes of a client, which nothing can precede on a real link before TCP has
made its own round trip, wait for one more.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.baseline import Server


class Held(asyncio.Protocol):
    """One end of a connection: what comes in here leaves at the other end, later, in order."""

    def __init__(self, delay: float) -> None:
        self.other: Held | None = None
        self._delay = delay
        self._transport: asyncio.WriteTransport | None = None
        self._not_before = 0.0
        self._held: deque[Callable[[Held], None]] = deque()
        self._due = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def hold_until(self, when: float) -> None:
        """Let nothing out before a time of the loop."""
        self._not_before = when

    def data_received(self, data: bytes) -> None:
        """Hold it."""
        self._later(lambda other: other.write(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """Tell the other end, as late as everything else."""
        self._later(lambda other: other.close())

    def write(self, data: bytes) -> None:
        """Send what the other end has held."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close when all has been sent."""
        if self._transport is not None:
            self._transport.close()

    def release(self) -> None:
        """Pass on what is due, in the order in which it came, if there is another end yet."""
        while self._due and self.other is not None:
            self._due -= 1
            self._held.popleft()(self.other)

    def _later(self, action: Callable[[Held], None]) -> None:
        loop = asyncio.get_running_loop()
        self._held.append(action)
        loop.call_at(max(loop.time() + self._delay, self._not_before), self._is_due)

    def _is_due(self) -> None:
        self._due += 1
        self.release()


class Accepted(Held):
    """The end of a client."""

    def __init__(self, there: tuple[str, int], delay: float) -> None:
        super().__init__(delay)
        self._there = there
        self._dial: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server, and hold the first bytes for the round trip of TCP."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self.hold_until(loop.time() + 3 * self._delay)
        self._dial = loop.create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_connection(lambda: Held(self._delay), *self._there)
        self.other, server.other = server, self
        self.release()


async def relay(here: str, there: str, delay: float, ports: list[int]) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    for port in ports:
        where = (there, port)
        await loop.create_server(
            lambda where=where: Accepted(where, delay),  # type: ignore[misc]  # where
            *(here, port),
            backlog=4096,
        )

    print("ready", flush=True)
    await loop.create_future()


@contextmanager
def link(server: Server, here: str, round_trip: float) -> Iterator[tuple[Server, int]]:
    """Run a relay at an address of its own; give the server behind it, and its process id."""
    ports = {str(server.https_port), str(server.mqtt_port)}
    where = (here, server.host, str(round_trip / 2), *ports)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.link", *where], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise SystemExit("the link did not start")

            yield replace(server, host=here), process.pid
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(
        relay(sys.argv[1], sys.argv[2], float(sys.argv[3]), [int(p) for p in sys.argv[4:]])
    )
