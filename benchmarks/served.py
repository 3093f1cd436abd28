"""Count the calls of the emulator for one connection, by package.

    python -m benchmarks.served       # prints JSON; run by benchmarks/costs.py

Emulator and device share a thread: whenever the emulator has nothing left to do, its event loop
lets the device go on, which is not counted. What has arrived when the emulator looks does not
depend on how busy the machine is, and so the counts are the same each time.
"""

from __future__ import annotations

import asyncio
import gc
import json
import selectors
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.conversations import CONVERSATIONS
from benchmarks.crowd import Crowd, Device
from benchmarks.packages import by_package, medians
from benchmarks.server import issue
from benchmarks.turns import Ready

from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup
from aiodps.pki import Authority

KINDS: Final = ("handshake", *CONVERSATIONS)
COUNTED: Final = 20
"""Connections of each kind."""
EACH: Final = COUNTED + 5
"""With those before the first that is counted."""


@dataclass(slots=True)
class Connections:
    """The connections of devices, one after the other, and the emulator's calls for each."""

    devices: Iterator[Device]
    calls: list[Counter[str]] = field(default_factory=lambda: [Counter()])
    """By source file; the first is of what was before the first connection."""

    def __iter__(self) -> Iterator[None]:
        """Yield whenever the emulator must go on."""
        for device in self.devices:
            self.calls.append(Counter())
            yield from device.steps()
            yield  # for what it does after the last answer, or after the handshake
            device.close()
            yield

    def count(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count a call that a profiler sees."""
        if event in {"call", "c_call"}:
            self.calls[-1][frame.f_code.co_filename] += 1

    def by_package(self) -> dict[str, float]:
        """Return the calls for a connection, without those for the first ones."""
        for each in self.calls:
            del each[__file__]

        return medians([by_package(each) for each in self.calls[-COUNTED:]])


class PeerSelector(selectors.EpollSelector):
    """That of the emulator's event loop: whenever the loop would wait, the peer has its turn."""

    peer: Iterator[None] = iter(())

    def select(self, timeout: float | None = None) -> Ready:
        """Return what is ready, if need be after the peer's turn."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready

        count = sys.getprofile()
        sys.setprofile(None)
        next(self.peer, None)
        sys.setprofile(count)
        return super().select(0)


async def count_calls(selector: PeerSelector, folder: Path) -> dict[str, dict[str, float]]:
    """Count the calls for each kind of connection, by package."""
    root = Authority.root("bench root")
    issue(root.intermediate("bench intermediate"), folder, len(KINDS) * EACH)
    group = EnrollmentGroup.signed_by(root.certificate, enrollment_group_id="bench")
    async with Emulator(enrollments=[group], retry_after=0) as dps:
        dps.service.certificates.upload("root", root.certificate, verified=True, now=time.time())
        (folder / "ca.pem").write_bytes(dps.ca_pem)
        return {kind: await _count(kind, dps, selector, folder) for kind in KINDS}


async def _count(
    kind: str, dps: Emulator, selector: PeerSelector, folder: Path
) -> dict[str, float]:
    connections = Connections(_devices(kind, dps, folder))
    done = asyncio.Event()
    selector.peer = _then(connections, done)
    gc.collect()
    gc.disable()  # its turns depend on what was there before
    sys.setprofile(connections.count)
    await done.wait()
    sys.setprofile(None)
    gc.enable()
    return connections.by_package()


def _devices(kind: str, dps: Emulator, folder: Path) -> Iterator[Device]:
    """Make a device for each connection, which the emulator has never seen before."""
    conversation = CONVERSATIONS.get(kind)
    messages, ends = ([], []) if conversation is None else conversation.written(dps.id_scope)
    port = dps.mqtt_port if conversation is not None and conversation.mqtt else dps.https_port
    crowd = Crowd(
        host=dps.host,
        port=port,
        ca=str(folder / "ca.pem"),
        devices=str(folder),
        messages=messages,
        ends=ends,
    )
    first = KINDS.index(kind) * EACH
    for number in range(first, first + EACH):
        yield Device(crowd, number)


def _then(connections: Connections, done: asyncio.Event) -> Iterator[None]:
    yield from connections
    done.set()


def main() -> None:
    """Count, and print."""
    selector = PeerSelector()
    with (
        tempfile.TemporaryDirectory() as name,
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as loop,
    ):
        print(json.dumps(loop.run(count_calls(selector, Path(name)))))


if __name__ == "__main__":
    main()
