"""Control files in the run folder: start time and orders for the shards, progress from them.

All shards share the folder, whether they are processes of this machine or workers of a cluster;
so nothing has to listen on the network. The files need not be durable: the journals are.
"""

from __future__ import annotations

import contextlib
import enum
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


class ControlFiles:
    """The control files of one session of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "control"

    def create(self) -> None:
        """Create the folder, without files of an earlier session."""
        self.remove()
        self._folder.mkdir(parents=True)

    def remove(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def write_progress(self, shard: int, progress: Progress) -> None:
        """Report the progress of a shard; the first report means that it is ready."""
        # A full disk is an error of the journal, not of a progress report.
        with contextlib.suppress(OSError):
            self._write(f"{shard:04}.json", progress.to_json())

    def read_progress(self, shards: Iterable[int]) -> dict[int, Progress]:
        """Return the progress by shard; a shard that is not ready is missing."""
        found = {shard: self._read(f"{shard:04}.json") for shard in shards}
        return {
            shard: Progress.from_json(data) for shard, data in found.items() if data is not None
        }

    def set_start_time(self, at: float) -> None:
        """Set the time when all shards start, in seconds since 1970."""
        self._write("start.json", {"at": at})

    def start_time(self) -> float | None:
        """Return the time when all shards start; None if it is not set yet."""
        data = self._read("start.json")
        return None if data is None else float(data["at"])

    def send(self, order: Order) -> None:
        """Send an order to all shards."""
        with contextlib.suppress(OSError):
            self._write("order.json", {"order": order.value})

    def order(self) -> Order | None:
        """Return the order that was sent last; None if there was none."""
        data = self._read("order.json")
        return None if data is None else Order(data["order"])

    def _write(self, name: str, data: dict[str, Any]) -> None:
        write_fresh(self._folder / name, json.dumps(data))

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self._folder / name).read_text("utf-8"))  # type: ignore[no-any-return]  # ours
        except OSError:
            return None
