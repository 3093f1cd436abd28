"""Writes the report: one HTML file about a run, or about two side by side.

Needs the extra `[fleet]`; nothing else of `aiodps.fleet` imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiodps.fleet.measure.sample import read_samples
from aiodps.fleet.report.compare import run_names
from aiodps.fleet.report.summary import read_summary

try:
    from aiodps.fleet.report.page import Run, render
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] not in {"bokeh", "jinja2", "markupsafe"}:
        raise

    raise ModuleNotFoundError(
        "the report needs more packages: pip install 'aiodps[fleet]'", name=exc.name
    ) from exc

__all__ = ["PAGE", "Run", "read_run", "write_comparison", "write_report"]

PAGE: Final = Path("report", "index.html")
"""Where a run's report lies in its folder."""


def read_run(folder: Path, *, name: str | None = None) -> Run:
    """Read summary and samples of a run; without a name it is called as its folder.

    Raises:
        ConfigurationError: they are not there, or of another version.
    """
    return Run(
        name=folder.resolve().name if name is None else name,
        summary=read_summary(folder / "summary.json"),
        samples=tuple(read_samples(folder / "samples.csv")),
    )


def write_report(folder: Path, run: Run | None = None) -> Path:
    """Write the report of a run into its folder, and return where.

    Args:
        folder: The run's.
        run: What there is to say; None to read it from the folder.

    Raises:
        ConfigurationError: there is no run in the folder.
        OSError: it could not be written.
    """
    path = folder / PAGE
    page = render([read_run(folder) if run is None else run])
    path.parent.mkdir(exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def write_comparison(left: Path, right: Path, path: Path) -> None:
    """Write a report of two runs side by side.

    Raises:
        ConfigurationError: there is no run in one of the folders.
        OSError: it could not be written.
    """
    runs = [
        read_run(folder, name=name)
        for folder, name in zip((left, right), run_names(left, right), strict=True)
    ]
    path.write_text(render(runs), encoding="utf-8")
