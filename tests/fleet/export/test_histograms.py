"""Logs and distributions, read by HdrHistogram itself."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from tests.fleet.samples import sample

from aiodps.fleet.export import histograms
from aiodps.fleet.export.histograms import write_histograms
from aiodps.fleet.measure.percentiles import percentile
from aiodps.fleet.measure.sample import Outcome

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
LATENCIES = [0.05 * 1.01**n for n in range(1000)]
"""From 50 ms to 17 min, as devices that were assigned one after the other."""
SAMPLES = [
    *(
        sample(transport=name, intended=n / 10, started=n / 10 + 0.01, finished=n / 10 + latency)
        for n, latency in enumerate(LATENCIES)
        for name in ("rest", "mqtt")
    ),
    sample(transport="rest", outcome=Outcome.FAILED, finished=9999.0),
]


def reference() -> Any:
    """Return an empty histogram of the log's range."""
    return HdrHistogram(1000, 3_600_000_000_000, 3)


def intervals(path: Path, begin: float = 0.0, end: float = math.inf) -> list[Any]:
    """Read the histograms of a log, cut by time."""
    reader = HistogramLogReader(str(path), reference())
    found = []
    while (one := reader.get_next_interval_histogram(begin, end)) is not None:
        found.append(one)

    reader.close()
    return found


def test_a_log_holds_every_latency(tmp_path: Path) -> None:
    """Its intervals add up to the run, within three digits; there is one log a transport."""
    write_histograms(tmp_path, SAMPLES, started_at=STARTED)
    for name in ("rest", "mqtt"):
        whole = reference()
        for each in intervals(tmp_path / "histograms" / f"latency-{name}.hlog"):
            whole.add(each)

        assert whole.get_total_count() == 1000
        for percent in ("50", "90", "99", "99.9", "100"):
            exact = 1e9 * percentile(LATENCIES, percent)
            assert whole.get_value_at_percentile(float(percent)) == pytest.approx(exact, rel=2e-3)


def test_a_log_can_be_cut_by_time(tmp_path: Path) -> None:
    """Each device is in the interval in which it was assigned; times are absolute."""
    write_histograms(tmp_path, SAMPLES, started_at=STARTED)
    path = tmp_path / "histograms" / "latency-rest.hlog"
    ends = [n / 10 + latency for n, latency in enumerate(LATENCIES)]
    first = intervals(path, 0, 9.9)
    width = (first[0].get_end_time_stamp() - first[0].get_start_time_stamp()) / 1000

    assert width == 2.0
    assert sum(one.get_total_count() for one in first) == sum(end < 10 for end in ends)
    assert first[0].get_start_time_stamp() == pytest.approx(1000 * STARTED.timestamp())


def test_the_greatest_of_an_interval_is_in_ms(tmp_path: Path) -> None:
    """As the tools that plot a log expect; no latency is lost because it is short or long."""
    ends = [sample(finished=1e-7, started=0, intended=0), sample(finished=9000.0)]
    write_histograms(tmp_path, ends, started_at=STARTED)
    text = (tmp_path / "histograms" / "latency-rest.hlog").read_text()
    rows = re.findall(r"^([\d.]+),([\d.]+),([\d.]+),HISTF", text, re.MULTILINE)

    assert [(row[0], row[1]) for row in rows] == [("0.000", "10.000"), ("9000.000", "10.000")]
    assert [float(row[2]) for row in rows] == pytest.approx([0.001, 9e6], rel=1e-3)


def test_distributions_of_latency_and_service_time(tmp_path: Path) -> None:
    """A file of each for each transport."""
    write_histograms(tmp_path, SAMPLES, started_at=STARTED)
    folder = tmp_path / "histograms"
    largest = {
        path.name: re.findall(r"Max *= *([\d.]+)", path.read_text())[0]
        for path in folder.glob("*.hgrm")
    }

    assert largest == {
        f"{what}-{name}.hgrm": f"{(LATENCIES[-1] - less) * 1000:.3f}"
        for what, less in (("latency", 0), ("service-time", 0.01))
        for name in ("rest", "mqtt")
    }


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no log, and everything else."""
    monkeypatch.setattr(histograms, "HdrHistogram", None)
    write_histograms(tmp_path, SAMPLES[:2], started_at=STARTED)

    assert {path.suffix for path in (tmp_path / "histograms").iterdir()} == {".hgrm"}
