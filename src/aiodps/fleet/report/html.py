"""Writer of the report: one HTML file about one run, or about two side by side.

Needs the extra `[fleet]`; no other module of `aiodps.fleet` imports this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiodps.fleet.measure.sample import read_samples
from aiodps.fleet.report.compare import run_names
from aiodps.fleet.report.summary import read_summary
from aiodps.fresh_files import write_fresh

try:
    from aiodps.fleet.report.page import Run, render
except ModuleNotFoundError as _exc:
    if (_exc.name or "").partition(".")[0] not in {"bokeh", "jinja2", "markupsafe"}:
        raise

    raise ModuleNotFoundError(
        "the report needs more packages: pip install 'aiodps[fleet]'", name=_exc.name
    ) from _exc

__all__ = ["PAGE", "Run", "read_run", "write_comparison", "write_report"]

PAGE: Final = Path("report", "index.html")
"""Path of the report in the run folder."""


def read_run(folder: Path, *, name: str | None = None) -> Run:
    """Read summary and samples of a run; its default name is that of its folder.

    Raises:
        ConfigurationError: a file is missing, or has another version.
    """
    return Run(
        name=folder.resolve().name if name is None else name,
        summary=read_summary(folder / "summary.json"),
        samples=tuple(read_samples(folder / "samples.csv")),
    )


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


def write_comparison(left: Path, right: Path, path: Path) -> None:
    """Write a report of two runs side by side.

    Raises:
        ConfigurationError: one of the folders has no results of a run.
        OSError: the report could not be written.
    """
    runs = [
        read_run(folder, name=name)
        for folder, name in zip((left, right), run_names(left, right), strict=True)
    ]
    write_fresh(path, render(runs))
