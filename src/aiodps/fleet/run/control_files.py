"""Control files in the run folder: start time and orders for the shards, progress from them.

All shards share the folder, whether they are processes of this machine or workers of a cluster;
so nothing has to listen on the network. The files need not be durable: the journals are.
"""

from __future__ import annotations

import contextlib
import enum
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiodps.errors import JournalError
from aiodps.fleet.measure.progress import Progress
from aiodps.fresh_files import write_fresh

POLL_INTERVAL = 0.1
"""Seconds between two polls of the files."""


class Order(enum.StrEnum):
    """An order to all shards to stop."""

    DRAIN = "drain"
    """Start no more devices, and let those in flight end."""
    HALT = "halt"
    """Stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOrder:
    """The order to all shards to start together."""

    at: float
    """When they start, by the leader's clock, in seconds since 1970."""
    clock: float
    """The leader's clock when it gave the order."""
    ahead: Mapping[str, float]
    """By shard, how far its clock is ahead of the leader's at least: the time it gave in its first
    report minus the time when the leader saw that."""

    def skew(self, shard: int, *, seen: float) -> float:
        """Return how many seconds a shard's clock is ahead of the leader's.

        Files show it between two bounds only, which are apart by how long each was on its way.
        It is the value between them that is nearest to 0: no clock is called wrong without proof.

        Args:
            shard: The shard.
            seen: The shard's clock when it saw the order.
        """
        return min(max(0.0, self.ahead.get(str(shard), 0.0)), seen - self.clock)


class ControlFiles:
    """The control files of one session of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "control"
        self._ahead: dict[str, float] = {}
        """See `StartOrder.ahead`."""

    def create(self) -> None:
        """Create the folder, without files of an earlier session.

        Raises:
            JournalError: If it cannot be created: nothing can be written to the run folder.
        """
        self.remove()
        with _as_journal_error(self._folder):
            self._folder.mkdir(parents=True)

    def remove(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def report_ready(self, shard: int, progress: Progress) -> None:
        """Report that a shard is ready: its first progress.

        Raises:
            JournalError: If it cannot be written; nothing else shows that the shard waits.
        """
        with _as_journal_error(self._folder):
            self._report(shard, progress)

    def write_progress(self, shard: int, progress: Progress) -> None:
        """Report the progress of a shard."""
        # A full disk is an error of the journal, not of a progress report.
        with contextlib.suppress(OSError):
            self._report(shard, progress)

    def _report(self, shard: int, progress: Progress) -> None:
        report = {"clock": time.time(), "progress": progress.to_json()}
        self._write(f"{shard:04}.json", report)

    def read_progress(self, shards: Iterable[int]) -> dict[int, Progress]:
        """Return the progress by shard; a shard that is not ready is missing."""
        found = {shard: self._read(f"{shard:04}.json") for shard in shards}
        for shard, data in found.items():
            if data is not None:
                self._ahead.setdefault(str(shard), data["clock"] - time.time())

        return {
            shard: Progress.from_json(data["progress"])
            for shard, data in found.items()
            if data is not None
        }

    def order_start(self, at: float) -> None:
        """Order all shards to start at a time, in seconds since 1970.

        Raises:
            JournalError: If it cannot be written.
        """
        order = StartOrder(at=at, clock=time.time(), ahead=self._ahead)
        with _as_journal_error(self._folder):
            self._write("start.json", asdict(order))

    def start_order(self) -> StartOrder | None:
        """Return the order to start; None if it was not given yet."""
        data = self._read("start.json")
        return None if data is None else StartOrder(**data)

    def send(self, order: Order) -> None:
        """Send an order to all shards."""
        with contextlib.suppress(OSError):
            self._write("order.json", {"order": order.value})

    def order(self) -> Order | None:
        """Return the order that was sent last; None if there was none.

        If the files are gone, so is the launcher of the shards: `Order.HALT`.
        """
        data = self._read("order.json")
        if data is None:
            return None if self._folder.is_dir() else Order.HALT

        return Order(data["order"])

    def _write(self, name: str, data: dict[str, Any]) -> None:
        write_fresh(self._folder / name, json.dumps(data))

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self._folder / name).read_text("utf-8"))  # type: ignore[no-any-return]  # ours
        except OSError:
            return None


@contextlib.contextmanager
def _as_journal_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise JournalError(
            f"the control files {str(folder)!r} cannot be written: {exc.strerror}",
            reason="unwritable",
        ) from exc
