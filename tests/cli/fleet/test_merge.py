"""`aiodps fleet merge`; that shards which ran apart are merged is in `tests/fleet/test_runs.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fleet.report.test_results import run_folder

from aiodps.cli.fleet.merge import command

pytestmark = pytest.mark.slow


def test_parts_become_a_run(tmp_path: Path) -> None:
    """A folder like any other; the exit code says that something is left."""
    part = run_folder(tmp_path / "part", shards=2)
    ended = CliRunner().invoke(command, [str(tmp_path / "all"), str(part), "--json"])

    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["states"]["assigned"] == 1
    assert (tmp_path / "all" / "summary.json").exists()


def test_no_parts(tmp_path: Path) -> None:
    """It is bad input."""
    assert CliRunner().invoke(command, [str(tmp_path / "all")]).exit_code == 2
