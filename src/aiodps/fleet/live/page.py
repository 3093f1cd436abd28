"""The page of a run in progress: the charts of its report, redrawn every second or two.

The page is made once; a script of its own fetches what has changed since. Only if a chart needs
another line or axis, the page is loaded again. Needs the extra `[fleet]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from bokeh.core.validation import silence
from bokeh.core.validation.warnings import MISSING_RENDERERS
from bokeh.embed import components
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aiodps.fleet.charts.drawing import draw, latency_ticks, percentile_ticks
from aiodps.fleet.charts.lines import (
    Bars,
    Columns,
    Data,
    Line,
    histogram_columns,
    percentile_lines,
    phase_bars,
)
from aiodps.fleet.charts.over_time import timeline_lines
from aiodps.fleet.charts.series import Series
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.live.series import live_series
from aiodps.fleet.live.server import Response
from aiodps.fleet.measure import units
from aiodps.fleet.report.page import REPAINT_SCRIPT, library, policy, style
from aiodps.fleet.report.summary import pick

_HEADLINE: Final = (
    ("started", units.count),
    ("in_flight", units.count),
    ("assigned", units.count),
    ("failed", units.count),
    ("latency/p50", units.duration),
    ("latency/p99", units.duration),
    ("achieved_rate", units.rate),
    ("register_requests", units.count),
    ("polls", units.count),
    ("throttled", units.count),
)
"""The figures of each transport, and how they are written."""
_LABELS: Final = {"latency/p50": "p50", "latency/p99": "p99", "achieved_rate": "assigned at"}


class LivePage:
    """The page of a run, and what its script fetches.

    Args:
        recorder: Knows the progress of the run.
        command: The command of the run.
        report: Path of the report that will be written at the end.
        target: The service that is asked, in words; "" if it has no name.
        burst: Whether all devices start at once.
    """

    def __init__(
        self, recorder: Recorder, *, command: str, report: str, target: str, burst: bool
    ) -> None:
        self._recorder = recorder
        self._command = command
        self._report = report
        self._target = target
        self._burst = burst
        silence(MISSING_RENDERERS)  # charts are empty at first

    def page(self) -> Response:
        """Return the page."""
        series = self._series()
        charts = draw(series, far=True)
        for name, chart in charts.items():
            chart.name = name

        script, drawn = components(charts, wrap_script=False)
        scripts = {"library": library(), "script": script + REPAINT_SCRIPT + _refresh_script()}
        text = _template().render(
            command=self._command,
            report=self._report,
            target=self._target,
            emulator_page=self._recorder.emulator_page,
            shape=self._shape(series),
            texts=self._texts(series),
            series=series,
            headline=[(name, _LABELS.get(name, name.replace("_", " "))) for name, _ in _HEADLINE],
            style=style(),
            charts={name: Markup(div) for name, div in drawn.items()},  # noqa: S704 (Bokeh's)
            **{name: Markup(text) for name, text in scripts.items()},  # noqa: S704 (ours and Bokeh's)
        )
        allowed = f"{policy(*scripts.values())}; connect-src 'self'; frame-ancestors 'none'"
        return Response(
            body=text.encode(),
            content_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": allowed},
        )

    def changes(self) -> Response:
        """Return the figures and the data of all charts as JSON."""
        series = self._series()
        content = {
            "shape": self._shape(series),
            "texts": self._texts(series),
            "charts": {
                name: [_numbers(each.data) for each in parts]
                for name, parts in _drawn(series).items()
            },
        }
        return Response(body=json.dumps(content).encode(), content_type="application/json")

    def _series(self) -> list[Series]:
        return live_series(self._recorder, burst=self._burst)

    def _shape(self, series: Sequence[Series]) -> str:
        """Return a digest of everything that data alone does not change."""
        ticks = [
            *percentile_ticks(percentile_lines(series)),
            *latency_ticks(histogram_columns(series)),
        ]
        parts = {name: [each.look for each in some] for name, some in _drawn(series).items()}
        shape = json.dumps([ticks, parts, self._recorder.emulator_page])
        return hashlib.sha256(shape.encode()).hexdigest()[:16]

    def _texts(self, series: Sequence[Series]) -> dict[str, str]:
        """Return the texts of the page by the id of their element."""
        progress = self._recorder.progress
        ended = progress.assigned + progress.failed
        errors = sorted(progress.errors.items(), key=lambda error: -error[1])
        texts = {
            "state": f"{ended:,} of {progress.total:,} ended, {progress.in_flight:,} in flight",
            "seconds": units.duration(self._recorder.seconds),
            "lag": units.duration(progress.loop_lag),
            "errors": "; ".join(f"{count:,} x {name}" for name, count in errors) or "none",
        }
        for one in series:
            for name, write in _HEADLINE:
                texts[f"{one.path}/{name}"] = write(pick(one.facts, name))

        return texts


def _drawn(series: Sequence[Series]) -> dict[str, Sequence[Line | Columns | Bars]]:
    """Return what each chart shows, in the order of its renderers.

    A filled line is two: the area and the line, which have the same data.
    """
    lines = {"percentiles": percentile_lines(series), **timeline_lines(series)}
    doubled = {
        name: [line for each in some for line in [each] * (1 + each.filled)]
        for name, some in lines.items()
    }
    return {"histogram": histogram_columns(series), **doubled, **phase_bars(series)}


def _numbers(data: Data) -> dict[str, list[object]]:
    """Return data for JSON, which has no NaN."""
    return {
        name: [None if value != value else value for value in values]  # noqa: PLR0124 (NaN)
        for name, values in data.items()
    }


@cache
def _refresh_script() -> str:
    return resources.files(__package__).joinpath("refresh.js").read_text("utf-8")


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("aiodps.fleet.live", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("live.html")
