"""Writer of the report: one HTML file about one run, or about two sides of runs.

Needs the extra `[fleet]`; no other module of `aiodps.fleet` imports this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiodps.fleet.report.compare import Run, read_run
from aiodps.fresh_files import write_fresh

try:
    from aiodps.fleet.report.page import render
except ModuleNotFoundError as _exc:
    if (_exc.name or "").partition(".")[0] not in {"bokeh", "jinja2", "markupsafe"}:
        raise

    raise ModuleNotFoundError(
        "the report needs more packages: pip install 'aiodps[fleet]'", name=_exc.name
    ) from _exc

__all__ = ["PAGE", "Run", "read_run", "write_comparison", "write_report"]

PAGE: Final = Path("report", "index.html")
"""Path of the report in the run folder."""


def write_report(folder: Path, run: Run | None = None) -> Path:
    """Write the report of a run to its folder, and return its path.

    Args:
        folder: The run folder.
        run: Summary and samples; None to read them from the folder.

    Raises:
        ConfigurationError: the folder has no results of a run.
        OSError: the report could not be written.
    """
    path = folder / PAGE
    page = render([read_run(folder) if run is None else run])
    path.parent.mkdir(exist_ok=True)
    write_fresh(path, page)
    return path


def write_comparison(left: Sequence[Run], right: Sequence[Run], path: Path) -> None:
    """Write a report of two sides of runs.

    Raises:
        OSError: the report could not be written.
    """
    write_fresh(path, render(left, right))
