"""The search ends at the highest rate that meets the thresholds, and says what that means."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fleet.ci.test_junit import RESULTS
from tests.fleet.report.test_thresholds import SAMPLES, summary_of

from aiodps.errors import ConfigurationError
from aiodps.fleet.capacity import Capacity, End, Outcome, Search, Step, find_capacity, step_of

KEPT, MISSED, LIMITED = Outcome


def step(rate: float, outcome: Outcome) -> Step:
    """Make a step."""
    return Step(
        rate=rate, outcome=outcome, folder="", devices=1, achieved_rate=rate, p50=1.0, p99=1.0,
        reasons=(),
    )  # fmt: skip


def searched(
    search: Search, *, service: float = math.inf, generator: float = math.inf
) -> Capacity:
    """Search against a service and a generator that can do so much."""

    def run_step(rate: float, number: int) -> Step:
        assert number < 40
        return step(rate, LIMITED if rate > generator else MISSED if rate > service else KEPT)

    return find_capacity(search, run_step)


def test_steps_double_and_then_halve_in_ratio() -> None:
    """Every step is told, in its order; nothing is tried twice."""
    found = searched(Search(lowest=10, highest=500), service=130)

    assert [one.rate for one in found.steps] == [10, 20, 40, 80, 160, 113, 134, 123]
    assert (found.rate, found.bound, found.end) == (123, 134, End.FOUND)


@given(
    lowest=st.floats(0.01, 1000),
    width=st.floats(1, 1000),
    service=st.floats(0.01, 2e6),
    precision=st.floats(0.01, 0.5),
)
def test_the_truth_is_between_what_was_kept_and_what_was_not(
    lowest: float, width: float, service: float, precision: float
) -> None:
    """Within the precision; or it is said on which side of the range it is."""
    search = Search(lowest=lowest, highest=min(lowest * width, 1e5), precision=precision)
    found = searched(search, service=service)

    assert len({one.rate for one in found.steps}) == len(found.steps) < 25
    match found.end:
        case End.FOUND:
            assert found.rate is not None
            assert found.bound is not None
            assert found.rate <= service < found.bound
            assert found.bound / found.rate <= max(1 + precision, 1.02)
        case End.RANGE:
            assert (found.rate, found.bound) == (search.highest, None)
            assert service >= search.highest
        case _:
            assert found.end is End.LOWEST
            assert found.rate is None
            assert service < lowest


@pytest.mark.parametrize(
    ("service", "generator", "end", "rate"),
    [
        (math.inf, 130, End.GENERATOR, 123),
        (math.inf, 5, End.GENERATOR, None),
        (90, 130, End.FOUND, 87.2),
        (5, 7, End.GENERATOR, None),
    ],
)
def test_the_generator_s_limit_is_not_the_service_s(
    service: float, generator: float, end: End, rate: float | None
) -> None:
    """What bounds the search says of whom the result is."""
    found = searched(Search(lowest=10, highest=500), service=service, generator=generator)

    assert (found.end, found.rate) == (end, rate)


def test_it_ends_when_a_step_cannot_be_run() -> None:
    """What is known by then is the result."""
    steps: list[Step | End] = [step(10, KEPT), step(20, KEPT), End.STOPPED]
    found = find_capacity(Search(lowest=10, highest=99), lambda _, number: steps[number - 1])

    assert (found.rate, found.bound, found.end, len(found.steps)) == (20, None, End.STOPPED, 2)


def test_a_step_is_what_its_thresholds_say() -> None:
    """A limited one is not the service's fault, whatever it missed."""
    samples = summary_of(SAMPLES, thresholds=RESULTS[:1])
    kept = step_of(samples, rate=5, folder="01")

    assert (kept.outcome, kept.reasons, kept.devices) == (KEPT, (), 101)
    assert (kept.p50, kept.p99) == (20, 20)
    missed = step_of({**samples, "thresholds": RESULTS[:2]}, rate=5, folder="01")
    assert (missed.outcome, missed.reasons) == (MISSED, ("errors>0.1% (rest)",))
    limited = step_of({**samples, "thresholds": RESULTS}, rate=5, folder="01")
    assert (limited.outcome, limited.reasons) == (LIMITED, ('late <by> "2 s" & \x00 more',))
    nothing = step_of(summary_of([], thresholds=RESULTS[1:2]), rate=5, folder="01")
    assert (nothing.outcome, nothing.p99, nothing.achieved_rate) == (MISSED, None, 0)


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"lowest": 0, "highest": 5}, "from"),
        ({"lowest": math.nan, "highest": 5}, "from"),
        ({"lowest": 6, "highest": 5}, "to"),
        ({"lowest": 6, "highest": 1e9}, "to"),
        ({"lowest": 1, "highest": 5, "precision": 0}, "precision"),
    ],
)
def test_what_cannot_be_meant(values: dict[str, float], setting: str) -> None:
    """It is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        Search(**values)

    assert caught.value.setting == setting
