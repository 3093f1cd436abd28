"""Latencies in the two formats of HdrHistogram's tools: percentiles, and a log of intervals.

A percentile distribution (`.hgrm`) is exact, and for plotters. A log (`.hlog`, V2, compressed) has
a histogram for each interval of time, so that other tools can cut runs by time and add them up;
it keeps three significant digits, in nanoseconds, which is what those tools expect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aiodps.fleet.export.timeline import slot_width
from aiodps.fleet.measure.percentiles import write_hgrm
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fresh_files import fresh_file

try:
    from hdrh.histogram import HdrHistogram
except ModuleNotFoundError:  # without the extra [fleet] there is no log
    HdrHistogram = None

_FOLDER: Final = "histograms"
_INTERVALS: Final = 1000
"""Most intervals of a log, about."""
_NANOSECONDS: Final = 1_000_000_000
_PER_MILLISECOND: Final = 1_000_000
_LEAST: Final = 1000
"""Smallest difference in nanoseconds."""
_HOUR: Final = 3600 * _NANOSECONDS
_DIGITS: Final = 3


def write_histograms(folder: Path, samples: Sequence[Sample], *, started_at: datetime) -> None:
    """Write the latencies and service times of assigned devices, a file for each transport.

    Args:
        folder: The run folder.
        samples: The samples that the figures of the run are of.
        started_at: Start of the run, with a time zone.

    Raises:
        OSError: a file could not be written.
    """
    target = folder / _FOLDER
    target.mkdir(exist_ok=True)
    for name in sorted({sample.transport for sample in samples}):
        assigned = [
            sample
            for sample in samples
            if sample.transport == name and sample.outcome is Outcome.ASSIGNED
        ]
        write_hgrm(target / f"latency-{name}.hgrm", [one.latency for one in assigned])
        write_hgrm(target / f"service-time-{name}.hgrm", [one.service_time for one in assigned])
        if HdrHistogram is not None:
            with fresh_file(target / f"latency-{name}.hlog") as file:
                file.writelines(_log_lines(name, assigned, started_at))


def _log_lines(transport: str, samples: Sequence[Sample], started_at: datetime) -> Iterator[str]:
    """Yield the lines of a log: a histogram for each interval in which a device was assigned."""
    start = started_at.timestamp()
    yield f"#[aiodps fleet: latency over {transport}, in ns, by when devices were assigned]\n"
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[BaseTime: {start:.3f} (seconds since epoch)]\n"
    yield f"#[StartTime: {start:.3f} (seconds since epoch), {started_at.isoformat()}]\n"
    yield ('"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n')
    width = slot_width(max((one.finished for one in samples), default=0.0), slots=_INTERVALS)
    slots: dict[int, list[float]] = {}
    for sample in samples:
        slots.setdefault(int(sample.finished / width), []).append(sample.latency)

    for slot, latencies in sorted(slots.items()):
        histogram = _histogram(latencies)
        greatest = histogram.get_max_value() / _PER_MILLISECOND
        payload = histogram.encode().decode("ascii")
        yield f"{slot * width:.3f},{width:.3f},{greatest:.3f},{payload}\n"


def _histogram(latencies: Sequence[float]) -> Any:
    values = [max(_LEAST, round(seconds * _NANOSECONDS)) for seconds in latencies]
    histogram = HdrHistogram(_LEAST, max(_HOUR, *values), _DIGITS)
    for value in values:
        histogram.record_value(value)

    return histogram
