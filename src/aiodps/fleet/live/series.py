"""The series of the live charts, from the progress of a run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from aiodps.fleet.charts.bins import log_bins
from aiodps.fleet.charts.series import COLOURS, Series
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.measure.histogram import Histogram, total_histogram
from aiodps.fleet.measure.percentiles import Point, curve_of
from aiodps.fleet.measure.sample import PHASES
from aiodps.fleet.measure.transport_progress import REQUESTS, TransportProgress
from aiodps.fleet.report.summary import Summary


def live_series(recorder: Recorder, *, burst: bool) -> list[Series]:
    """Return a series for each transport that devices have started on.

    Args:
        recorder: Knows the progress of the run.
        burst: Whether all devices start at once, which leaves their arrivals out of the charts.
    """
    transports = recorder.progress.transports
    everything = total_histogram(each.latencies for each in transports.values())
    return [
        Series(
            label=name,
            path=name,
            colour=colour,
            facts=live_facts(transports[name], recorder.seconds, burst=burst),
            latencies=list(live_curve(transports[name].latencies)),
            bins=log_bins(transports[name].latencies, over=everything),
            slots=recorder.slots(name),
        )
        for name, colour in zip(recorder.transports(), COLOURS, strict=False)
    ]


def live_facts(progress: TransportProgress, seconds: float, *, burst: bool) -> Summary:
    """Return the facts that charts and figures are made of, named as in `summary.json`."""
    outcomes = {name: progress.outcomes.get(name, 0) for name in ("assigned", "failed")}
    count = progress.latencies.count
    means = {name: {"mean": total / count} for name, total in progress.seconds.items() if count}
    lost = ("start_lag", "backoff", "other")
    return {
        "started": progress.started,
        "in_flight": progress.in_flight,
        **outcomes,
        "offered_rate": None if burst or not seconds else progress.started / seconds,
        "achieved_rate": outcomes["assigned"] / seconds if seconds else None,
        **{name: progress.requests.get(name, 0) for name in REQUESTS},
        "latency": _statistics(progress.latencies),
        "phases": {name: means[name] for name in PHASES if name in means},
        "waited": {name: means[name] for name in lost if name in means},
    }


def _statistics(latencies: Histogram) -> Summary | None:
    if not latencies.count:
        return None

    return {
        "p50": latencies.percentile(50),
        "p99": latencies.percentile(99),
        "mean": latencies.total / latencies.count,
    }


def live_curve(latencies: Histogram) -> Iterator[Point]:
    """Yield the percentile curve of a histogram, in the steps of the report's."""
    buckets = [*latencies.ordered()]
    reached = [count for _, count in buckets]
    return curve_of(latencies.count, lambda rank: buckets[bisect_left(reached, rank)][0])
