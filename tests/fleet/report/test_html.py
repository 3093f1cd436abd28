"""Where the report comes from: memory, or the files of a run folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tests.fleet.runs import run_folder

from aiodps.errors import ConfigurationError
from aiodps.fleet.report.compare import read_run
from aiodps.fleet.report.html import write_report

pytestmark = pytest.mark.slow


def test_from_memory_as_from_files(tmp_path: Path) -> None:
    """A run that is handed over is drawn without its files, and looks the same."""
    run = read_run(run_folder(tmp_path / "run"))
    from_files = write_report(tmp_path / "run").read_text("utf-8")
    (tmp_path / "empty").mkdir()
    from_memory = write_report(tmp_path / "empty", run).read_text("utf-8")

    def text(page: str) -> str:
        return (
            page.partition("</main>")[0]
            .partition("<h1>")[2]
            .partition('<section id="latency">')[0]
        )

    assert text(from_memory) == text(from_files) != ""


@pytest.mark.parametrize("missing", ["summary.json", "samples.csv"])
def test_no_run_there(tmp_path: Path, missing: str) -> None:
    """A folder without a run is refused by what is missing."""
    run_folder(tmp_path)
    (tmp_path / missing).unlink()

    with pytest.raises(ConfigurationError, match=missing):
        write_report(tmp_path)


def test_without_what_draws_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "bokeh", None)
    for name in [name for name in sys.modules if name.startswith(("bokeh.", "aiodps.fleet.rep"))]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(ModuleNotFoundError, match=r"aiodps\[fleet\]"):
        importlib.import_module("aiodps.fleet.report.html")
