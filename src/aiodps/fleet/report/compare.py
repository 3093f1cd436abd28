"""Comparison of runs, or of two transports of one run, with a verdict for each figure.

Several runs on a side are compared by what differs from run to run. With one on each, that is
unknown; a block bootstrap over the run's time says how much a figure varies within it.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from aiodps.fleet.inference.block_bootstrap import BlockBootstrap
from aiodps.fleet.inference.estimate import (
    Estimate,
    Interval,
    difference_interval,
    ratio_interval,
)
from aiodps.fleet.measure.sample import Outcome, Sample, read_samples
from aiodps.fleet.measure.window import in_window
from aiodps.fleet.report.cautions import cautions as cautions_of
from aiodps.fleet.report.figures import FIGURES, LEAST_RUNS, Figure
from aiodps.fleet.report.summary import Summary, read_summary

CONFIDENCE: Final = 0.95
"""Confidence of all intervals of a comparison together: of twenty comparisons of a thing with
itself, nineteen show no difference in any figure."""


class Verdict(enum.StrEnum):
    """What a comparison says about a figure of the right side."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference shown"
    FEW_RUNS = "not enough runs"
    FEW_BLOCKS = "not enough blocks"
    FEW_DEVICES = "not enough devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both sides."""

    name: str
    unit: str
    """"s", "/s", "%" (the values are shares) or "" for none."""
    left: float | None
    """The figure; of several runs, their mean. None if one of them does not have it."""
    right: float | None
    interval: Interval | None = None
    """Of the ratio; None if there is none."""
    verdict: Verdict | None = None
    """None if the figure is not tested, or a side does not have it."""

    @property
    def ratio(self) -> float | None:
        """Right divided by left; None if a value is missing or the left one is 0."""
        return self.right / self.left if self.left and self.right is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The figures of two sides."""

    left: str
    right: str
    basis: str
    """What the verdicts rest on, as a sentence."""
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain data, with the ratio of each row."""
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        return {**asdict(self), "rows": rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run to report on."""

    name: str
    """Its label in a comparison."""
    summary: Summary
    samples: Sequence[Sample]


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One transport of the runs of one side."""

    name: str
    facts: Sequence[Summary]
    samples: Sequence[Sample]
    """Of the only run; of several, none are needed."""
    seed: int

    @cached_property
    def bootstrap(self) -> BlockBootstrap | None:
        """Blocks of the only run; None if it is too short."""
        assigned = [one for one in self.samples if one.outcome is Outcome.ASSIGNED]
        latencies = [(one.intended, one.latency) for one in assigned]
        return BlockBootstrap.over(latencies, seed=self.seed)

    @property
    def devices(self) -> int:
        """The devices of all runs."""
        return sum(facts["devices"] for facts in self.facts)

    def value(self, figure: Figure) -> float | None:
        """Return the mean of a figure; None if a run does not have it."""
        values = [value for facts in self.facts if (value := figure.value(facts)) is not None]
        return sum(values) / len(values) if len(values) == len(self.facts) else None

    def estimate(self, figure: Figure, *, over_runs: bool) -> Estimate | Verdict | None:
        """Return a figure with its uncertainty, or why that is unknown; None if not tested."""
        value = self.value(figure)
        if figure.variance is None or value is None:
            return None

        if over_runs:
            if len(self.facts) < LEAST_RUNS:
                return Verdict.FEW_RUNS

            return Estimate.of_runs([figure.value(facts) or 0.0 for facts in self.facts])

        if self.bootstrap is None:
            return Verdict.FEW_BLOCKS

        variance = figure.variance(self.bootstrap, self.samples)
        if variance is None:
            return Verdict.FEW_DEVICES

        return Estimate(value=value, variance=variance, freedom=self.bootstrap.freedom)


def compare_transports(run: Run) -> list[Comparison]:
    """Compare each transport of a run with each other one."""
    names = sorted(run.summary["transports"], reverse=True)
    sides = [_side("", [run], name, seed) for seed, name in enumerate(names)]
    pairs = list(itertools.combinations(sides, 2))
    return [_comparison(left, right, family=len(pairs)) for left, right in pairs]


def compare_runs(left: Sequence[Run], right: Sequence[Run]) -> list[Comparison]:
    """Compare the runs of two sides by each transport that all used.

    Without one, the first transport of the left side is compared with the first of the right one.
    """
    ours, theirs = _common_transports(left), _common_transports(right)
    both = [(name, name) for name in ours if name in theirs]
    pairs = both or list(zip(ours[:1], theirs[:1], strict=False))
    return [
        _comparison(
            _side(side_name(left), left, one, 0),
            _side(side_name(right), right, other, 1),
            family=len(pairs),
        )
        for one, other in pairs
    ]


def _common_transports(runs: Sequence[Run]) -> list[str]:
    return sorted(set.intersection(*({*run.summary["transports"]} for run in runs)))


def _side(name: str, runs: Sequence[Run], transport: str, seed: int) -> _Side:
    only = in_window(runs[0].samples, runs[0].summary["window"]) if len(runs) == 1 else ()
    return _Side(
        name=f"{name} {transport}".strip(),
        facts=[run.summary["transports"][transport] for run in runs],
        samples=[sample for sample in only if sample.transport == transport],
        seed=seed,
    )


def _comparison(left: _Side, right: _Side, *, family: int) -> Comparison:
    """Compare two sides; Bonferroni's correction for all figures of `family` comparisons."""
    tested = sum(figure.variance is not None for figure in FIGURES)
    level = 1 - (1 - CONFIDENCE) / (tested * family)
    return Comparison(
        left=left.name,
        right=right.name,
        basis=_basis(left, right),
        rows=tuple(_row(figure, left, right, level=level) for figure in FIGURES),
    )


def _basis(left: _Side, right: _Side) -> str:
    together = "The intervals hold all together with 95 % confidence"
    runs = sorted((len(left.facts), len(right.facts)))
    if runs[1] > 1:
        if runs[0] < LEAST_RUNS:
            return f"For a verdict over runs, at least {LEAST_RUNS} on each side are needed."

        return f"{together}. They are from what differs from run to run."

    blocks = [side.bootstrap.freedom + 1 for side in (left, right) if side.bootstrap is not None]
    if len(blocks) < 2:  # noqa: PLR2004
        return "The runs are too short for a verdict from one on each side; compare several."

    return (
        f"{together}. They are from {blocks[0]} and {blocks[1]} blocks of time within one run on "
        "each side; what differs from run to run is not in them. Compare several to be sure."
    )


def _row(figure: Figure, left: _Side, right: _Side, *, level: float) -> Row:
    over_runs = len(left.facts) > 1 or len(right.facts) > 1
    one, other = (side.estimate(figure, over_runs=over_runs) for side in (left, right))
    interval: Interval | None = None
    verdict: Verdict | None = None
    if isinstance(one, Estimate) and isinstance(other, Estimate):
        devices = min(left.devices, right.devices) if figure.per_device else None
        interval, verdict = _verdict(figure, one, other, level=level, devices=devices)
    elif one is not None and other is not None:
        verdict = one if isinstance(one, Verdict) else cast("Verdict", other)

    return Row(
        name=figure.name,
        unit=figure.unit,
        left=left.value(figure),
        right=right.value(figure),
        interval=interval,
        verdict=verdict,
    )


def _verdict(
    figure: Figure, left: Estimate, right: Estimate, *, level: float, devices: int | None
) -> tuple[Interval | None, Verdict]:
    """Return the interval of the ratio, and the verdict.

    Args:
        figure: The figure.
        left: Its estimate on the left side.
        right: Its estimate on the right side.
        level: The confidence of the interval.
        devices: For a count per device, the devices of a side; None for other figures.
    """
    interval: Interval | None
    if devices is None and left.value > 0 and right.value > 0:
        interval = ratio_interval(left, right, level=level)
        differs = interval.excludes(1.0)
    else:
        # Rare events vary at least as in a Poisson process: two more may be due to chance.
        least = abs(right.value - left.value) / devices if devices else 0.0
        difference = difference_interval(left, right, level=level, least_variance=least)
        differs = difference.excludes(0.0)
        interval = difference.relative_to(left.value) if left.value > 0 else None

    if not differs:
        return interval, Verdict.NO_DIFFERENCE

    greater_is_better = figure.unit == "/s"
    better = (right.value > left.value) == greater_is_better
    return interval, Verdict.BETTER if better else Verdict.WORSE


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


def run_names(folders: Sequence[Path]) -> list[str]:
    """Return the names of run folders, or their paths if two names are the same."""
    names = [folder.resolve().name for folder in folders]
    return names if len({*names}) == len(names) else [str(folder) for folder in folders]


def side_name(runs: Sequence[Run]) -> str:
    """Return the name of a side of a comparison."""
    return runs[0].name if len(runs) == 1 else f"{runs[0].name} ({len(runs)} runs)"


def cautions(summaries: Mapping[str, Summary]) -> list[str]:
    """Return the cautions of each run, and why the runs are not comparable, if there is a reason.

    Args:
        summaries: The summaries by name of the run.
    """
    lines = [
        f"{name}: {line}" for name, summary in summaries.items() for line in cautions_of(summary)
    ]
    first, *others = summaries.items()
    for other in others:
        lines.extend(_differences(first, other))

    return lines


def _differences(one: tuple[str, Summary], other: tuple[str, Summary]) -> Iterator[str]:
    (left, a), (right, b) = one, other
    facts = {"arrivals": (a["arrivals"], b["arrivals"])}
    for name in {**a["environment"], **b["environment"]}:
        facts[name] = (a["environment"].get(name), b["environment"].get(name))

    for name, (theirs, ours) in facts.items():
        if theirs != ours:
            yield f"{name} differs: {left} {theirs}, {right} {ours}"
