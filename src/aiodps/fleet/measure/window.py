"""The window of a run that its figures are about: without warm-up and cool-down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiodps.fleet.measure.sample import Outcome, Sample


def window_facts(
    samples: Sequence[Sample], *, warm_up: float, cool_down: float
) -> dict[str, Any] | None:
    """Return the window, and how many devices are left out of the figures; None if none is asked.

    Returns:
        `from` and `to` in seconds of the run: devices that should have started between them, both
        included, are in the figures. `warm_up` and `cool_down` count the devices that are left
        out, and `failed` those of them that failed.
    """
    if not (warm_up or cool_down):
        return None

    last = max((sample.intended for sample in samples), default=0.0)
    begin, end = warm_up, last - cool_down
    early = sum(sample.intended < begin for sample in samples)
    late = sum(sample.intended > end and sample.intended >= begin for sample in samples)
    failed = sum(
        not begin <= sample.intended <= end and sample.outcome is Outcome.FAILED
        for sample in samples
    )
    return {"from": begin, "to": end, "warm_up": early, "cool_down": late, "failed": failed}


def in_window(samples: Iterable[Sample], window: dict[str, Any] | None) -> list[Sample]:
    """Return the samples of devices that should have started in a window; all if it is None."""
    if window is None:
        return list(samples)

    return [one for one in samples if window["from"] <= one.intended <= window["to"]]
