"""`aiodps fleet merge`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.fleet.test_run import typed
from tests.fleet.report.test_results import run_folder


def test_parts_become_a_run(tmp_path: Path) -> None:
    """A folder like any other; the exit code says that something is left."""
    part = run_folder(tmp_path / "part", shards=2)
    ended = typed("merge", tmp_path / "all", part, "--json")

    assert ended.returncode == 1
    assert json.loads(ended.stdout)["states"]["assigned"] == 1
    assert (tmp_path / "all" / "summary.json").exists()


def test_shards_of_many_machines(tmp_path: Path) -> None:
    """`--shard I/N` in folders of their own, then together; no machine knew of another."""
    parts = [tmp_path / "part-0", tmp_path / "part-1"]
    for shard, part in enumerate(parts):
        alone = typed(
            *("run", "--emulator", "--devices", "5", "--retry-after", "0", "--min-poll", "0"),
            *("--shard", f"{shard}/2", "--out", part, "--json"),
        )
        assert json.loads(alone.stdout)["states"]["assigned"] == 3 - shard

    ended = typed("merge", tmp_path / "all", *parts, "--json")

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["states"]["assigned"] == 5


def test_no_parts(tmp_path: Path) -> None:
    """It is bad input."""
    assert typed("merge", tmp_path / "all").returncode == 2
