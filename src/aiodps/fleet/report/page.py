"""The report as one HTML page, which opens from disk and loads nothing.

Its content security policy allows its two scripts by their hashes, and forbids everything else,
including the network. Texts from devices and from the service are escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import Any, Final

from bokeh.core.validation import silence
from bokeh.core.validation.warnings import MISSING_RENDERERS
from bokeh.embed import components
from bokeh.model import Model
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aiodps.fleet.charts.bins import bins_of, is_far
from aiodps.fleet.charts.drawing import draw
from aiodps.fleet.charts.over_time import pauses_of
from aiodps.fleet.charts.series import COLOURS, PARTS, Series, curves, parts
from aiodps.fleet.charts.slots import Span, slot_width, slots_of
from aiodps.fleet.export.timeline import Slot
from aiodps.fleet.measure import units
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample
from aiodps.fleet.measure.window import in_window
from aiodps.fleet.report.cautions import cautions as cautions_of
from aiodps.fleet.report.compare import (
    Comparison,
    Run,
    cautions,
    compare_runs,
    compare_transports,
    side_name,
)
from aiodps.fleet.report.sessions import pauses
from aiodps.fleet.report.summary import LATENCIES, PERCENTILES, Summary, pick
from aiodps.fleet.report.target import target_name, transport_names
from aiodps.fleet.report.verdict import RunVerdict, verdict


def render(left: Sequence[Run], right: Sequence[Run] = ()) -> str:
    """Return the report of one run, or of two sides of runs, as one HTML page.

    Args:
        left: The run, or the runs of the left side.
        right: The runs of the right side; empty for a report of one run.

    Raises:
        ValueError: there is no run, or there are several but no right side.
    """
    if not left or (len(left) > 1 and not right):
        raise ValueError("a report is about one run, or about two sides")

    runs = [*left, *right]
    series = _series(left, right)
    silence(MISSING_RENDERERS)  # if nothing was assigned, charts are empty
    shown = (in_window(run.samples, run.summary["window"]) for run in runs)
    far = is_far(sorted(latency for samples in shown for latency in _latencies(samples)))
    charts = _charts(series, far=far)
    script, drawn = components(charts, wrap_script=False) if charts else ("", {})
    scripts = {"library": library(), "script": script + REPAINT_SCRIPT}
    page: str = _template().render(
        title=_title(left, right),
        target=_target(runs),
        verdict=_verdict(runs),
        cautions=cautions({run.name: run.summary for run in runs})
        if right
        else cautions_of(runs[0].summary),
        runs=[
            _run_context(run, index=index, alone=len(runs) == 1) for index, run in enumerate(runs)
        ],
        series=series,
        headline=_HEADLINE,
        percentiles=PERCENTILES,
        statistics=LATENCIES,
        parts=_parts(series),
        far=far,
        paused=bool(pauses_of(series)),
        comparisons=_comparisons(left, right),
        version=version("aiodps"),
        style=style(),
        policy=policy(*scripts.values()),
        charts=dict.fromkeys(_CHARTS, "") | {name: Markup(div) for name, div in drawn.items()},  # noqa: S704 (Bokeh's)
        **{name: Markup(text) for name, text in scripts.items()},  # noqa: S704 (Bokeh's)
    )
    return page


REPAINT_SCRIPT: Final = """
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const view of Bokeh.index.roots) view.request_repaint?.()
})
"""
"""Repaints the charts when the colour scheme changes: they take their colours when painted."""

_HEADLINE: Final = (
    ("devices", "devices", "count"),
    ("assigned", "assigned", "count"),
    ("failed", "failed", "count"),
    ("latency/p50", "p50", "statistic"),
    ("latency/p99", "p99", "statistic"),
    ("latency/max", "max", "statistic"),
    ("offered_rate", "offered", "rate"),
    ("achieved_rate", "achieved", "rate"),
    ("drain_time", "drained in", "duration"),
    ("register_requests", "register requests", "count"),
    ("polls", "polls", "count"),
    ("throttled", "throttled", "count"),
    ("retries", "retries", "count"),
)

_GENERATOR: Final[Mapping[str, tuple[str, Callable[[float | None], str]]]] = {
    "loop_lag_mean": ("event loop late, mean", units.duration),
    "loop_lag_p99": ("event loop late, p99", units.duration),
    "loop_lag_max": ("event loop late, max", units.duration),
    "start_lag_p99": ("devices started late, p99", units.duration),
    "start_lag_max": ("devices started late, max", units.duration),
    "cpu_share": ("CPU, share of one core", units.share),
    "cpu_share_max": ("CPU in the busiest second", units.share),
    "busy_seconds": ("CPU over 90 % busy for", units.duration),
    "run_delay": ("waited for a core", units.duration),
    "throttled_share": ("stopped by CPU quota", units.share),
    "fds_max": ("file descriptors, max", units.count),
    "fds_limit": ("file descriptors, limit", units.count),
    "memory_max": ("memory, peak", units.memory),
}


@cache
def library() -> str:
    """Return Bokeh's core, without widgets, tables, WebGL and MathJax."""
    core, *_ = Resources(mode="inline", components=["bokeh"]).js_raw
    return core


def style() -> Markup:
    """Return the style sheet of pages."""
    return Markup(resources.files(__package__).joinpath("style.css").read_text("utf-8"))  # noqa: S704 (our own file)


def policy(*scripts: str) -> str:
    """Return a content security policy that allows these scripts and no network."""
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    ]
    return (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; form-action 'none'; base-uri 'none'"
    )


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("aiodps.fleet.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "duration": units.duration,
        "share": units.share,
        "ratio": units.ratio,
        "interval": units.interval,
        "statistic": units.statistic,
        "figure": _figure,
        "format": lambda value, unit: getattr(units, unit)(value),
        "pick": pick,
        "slot_seconds": _slot_seconds,
        "unit": lambda value, unit: units.BY_UNIT[unit](value),
    }
    return environment.get_template("page.html")


def _slot_seconds(slots: Sequence[Slot]) -> str:
    """Return how long slots are, in words."""
    lengths = sorted(slot.end - slot.begin for slot in slots)
    return units.duration(lengths[len(lengths) // 2] if lengths else None)


def _figure(facts: Summary, path: str, unit: str) -> str:
    """Format the figure at a path; one of a distribution as such."""
    distribution, _, name = path.partition("/")
    if unit == "statistic":
        return units.statistic(facts[distribution], name)

    text: str = getattr(units, unit)(pick(facts, path))
    return text


def _series(left: Sequence[Run], right: Sequence[Run]) -> list[Series]:
    """List the transports of all runs; the runs of a side have the same colours."""
    found = [
        (index, run, name, [sample for sample in run.samples if sample.transport == name])
        for index, run in enumerate((*left, *right))
        for name in sorted(run.summary["transports"], reverse=True)
    ]
    ran = {index: _ran(run) for index, run in enumerate((*left, *right))}
    width = slot_width(
        max((sum(end - begin for begin, end in spans) for spans in ran.values()), default=0.0),
        min((len(samples) for *_, samples in found), default=0),
    )
    shown = [in_window(samples, run.summary["window"]) for _, run, _, samples in found]
    kinds = list(dict.fromkeys((index < len(left), name) for index, _, name, _ in found))
    return [
        Series(
            label=f"{run.name} {name}" if right else name,
            path=f"{index}/transports/{name}" if right else f"transports/{name}",
            colour=COLOURS[kinds.index((index < len(left), name)) % len(COLOURS)],
            facts=run.summary["transports"][name],
            slots=slots_of(samples, ran[index], width=width),
            bins=bins,
            **curves(in_its_window),
        )
        for (index, run, name, samples), in_its_window, bins in zip(
            found, shown, bins_of([_latencies(each) for each in shown]), strict=True
        )
    ]


def _latencies(samples: Iterable[Sample]) -> list[float]:
    return [sample.latency for sample in samples if sample.outcome is Outcome.ASSIGNED]


def _ran(run: Run) -> list[Span]:
    """Return the spans of time in which a run ran."""
    end = max((sample.finished for sample in run.samples), default=0.0)
    spans = ((one["began"], one["last_seen"]) for one in run.summary["sessions"])
    gaps = [(begin, until) for begin, until in pauses(spans) if until < end]
    begins = [min((one.intended for one in run.samples), default=0.0)]
    begins += [until for _, until in gaps]
    return list(zip(begins, [*(begin for begin, _ in gaps), end], strict=True))


def _comparisons(left: Sequence[Run], right: Sequence[Run]) -> list[Comparison]:
    return compare_runs(left, right) if right else compare_transports(left[0])


def _title(left: Sequence[Run], right: Sequence[Run]) -> str:
    if right:
        return f"{side_name(left)} vs. {side_name(right)}"

    transports = left[0].summary["transports"]
    devices = max((facts["devices"] for facts in transports.values()), default=0)
    plural = "" if devices == 1 else "s"
    return f"{devices:,} device{plural} over {transport_names(transports)}"


def _target(runs: Sequence[Run]) -> str:
    """Return the targets of the runs, each once."""
    names = dict.fromkeys(target_name(run.summary["environment"]) for run in runs)
    return " and ".join(filter(None, names))


def _verdict(runs: Sequence[Run]) -> dict[str, str]:
    """Return the outcome of the runs; the worst one decides the colour."""
    verdicts = [_verdict_of(run) for run in runs]
    if len(runs) == 1:
        (only,) = verdicts
        return {"kind": only.kind, "lead": only.lead, "sentence": only.sentence}

    kind = max((one.kind for one in verdicts), key=("good", "warn", "bad").index)
    texts = [f"{run.name}: {one.lead}" for run, one in zip(runs, verdicts, strict=True)]
    return {"kind": kind, "lead": "; ".join(texts), "sentence": ""}


def _verdict_of(run: Run) -> RunVerdict:
    """Return the verdict in the summary; making it again takes seconds with many devices."""
    found = run.summary.get("verdict")
    return verdict(run.summary, run.samples) if found is None else RunVerdict(**found)


def _run_context(run: Run, *, index: int, alone: bool) -> dict[str, Any]:
    generator = run.summary["generator"]
    return {
        "name": "" if alone else run.name,
        "path": "" if alone else f"{index}/",
        "summary": run.summary,
        "started": f"{datetime.fromisoformat(run.summary['started_at']):%d %B %Y, %H:%M:%S %Z}",
        "generator": {
            label: write(generator[name]) for name, (label, write) in _GENERATOR.items()
        },
        "limited": _limited(generator),
    }


def _limited(generator: Mapping[str, Any]) -> str:
    match generator["limited"]:
        case None:
            return f"not known: {generator['unknown']}"
        case True:
            return f"yes: {'; '.join(generator['why'])}"
        case _:
            return "no"


_CHARTS: Final = (
    *("histogram", "percentiles", "throughput", "flight", "latency", "phases", "work"),
)
FEW_DEVICES: Final = 20
"""Fewer have no rates, and no percentiles that differ from the slowest."""
FEWEST: Final = 3
"""Fewer have no distribution."""


def _charts(series: Sequence[Series], *, far: bool) -> dict[str, Model]:
    """Draw the charts that are meaningful for this number of devices."""
    charts = draw(series, far=far)
    most = max((one.facts["devices"] for one in series), default=0)
    hidden = {"percentiles", "throughput"} if most < FEW_DEVICES else set()
    if not series:
        return {}

    if max((one.facts["assigned"] for one in series), default=0) < FEWEST:
        hidden.add("histogram")

    if not any(one.facts["assigned"] for one in series):
        hidden |= {"histogram", "percentiles", "latency", "phases", "work"}

    return {name: chart for name, chart in charts.items() if name not in hidden}


def _parts(series: Sequence[Series]) -> list[dict[str, str]]:
    return [
        {
            "label": label,
            "colour": colour,
            "path": f"phases/{name}" if name in PHASES else f"waited/{name}",
        }
        for name, (label, colour) in PARTS.items()
        if any(parts(one.facts).get(name) for one in series)
    ]
