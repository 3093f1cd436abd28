"""How a run's shards hear and are heard: small files in the run folder.

Whatever runs the shards (processes here, a cluster elsewhere), all of them see the folder; so
files are enough, and nothing has to listen on the network. Nothing here has to survive anything:
what counts is in the journals.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiodps.fleet.measure.progress import Progress

POLL_INTERVAL = 0.1
"""Seconds between two looks at the files."""


class Order(enum.StrEnum):
    """What shards are told."""

    DRAIN = "drain"
    """Begin no more devices, and let the running ones end."""
    HALT = "halt"
    """Stop now."""


class ControlFiles:
    """The files of one session of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "control"

    def begin(self) -> None:
        """Begin a session: forget what was said in the last one."""
        self.end()
        self._folder.mkdir(parents=True)

    def end(self) -> None:
        """Take the files away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def report(self, shard: int, progress: Progress) -> None:
        """Say how a shard stands; the first report says that it is ready."""
        # A full disk must stop the journal, not this.
        with contextlib.suppress(OSError):
            self._write(f"{shard:04}.json", progress.to_json())

    def progress_of_shards(self, shards: Iterable[int]) -> dict[int, Progress]:
        """Read how shards stand; those that are not ready are not there."""
        found = {shard: self._read(f"{shard:04}.json") for shard in shards}
        return {
            shard: Progress.from_json(data) for shard, data in found.items() if data is not None
        }

    def start(self, at: float) -> None:
        """Let all shards begin, at a time in seconds since 1970."""
        self._write("start.json", {"at": at})

    def started(self) -> float | None:
        """Say when to begin; None if that is not known yet."""
        data = self._read("start.json")
        return None if data is None else float(data["at"])

    def give(self, order: Order) -> None:
        """Tell all shards to stop."""
        with contextlib.suppress(OSError):
            self._write("order.json", {"order": order.value})

    def order(self) -> Order | None:
        """Say what shards are told; None for nothing."""
        data = self._read("order.json")
        return None if data is None else Order(data["order"])

    def _write(self, name: str, data: dict[str, Any]) -> None:
        draft = self._folder / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(data), encoding="utf-8")
        draft.replace(self._folder / name)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self._folder / name).read_text("utf-8"))  # type: ignore[no-any-return]  # ours
        except OSError:
            return None
