"""When devices begin."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import (
    Arrivals,
    Burst,
    Closed,
    Open,
    Spacing,
    Stage,
    Staged,
    count_within,
    schedule,
    share,
)


def test_constant_arrivals_are_even() -> None:
    """A rate of 4 begins one each quarter of a second, the first at once."""
    assert schedule(Open(rate=4), 5, seed=1) == [0, 0.25, 0.5, 0.75, 1.0]


def test_poisson_arrivals_are_seeded_and_keep_the_rate() -> None:
    """The same seed gives the same times, another one others; the mean distance is 1/rate."""
    arrivals = Open(rate=50, spacing="poisson")
    times = schedule(arrivals, 20_000, seed=7)

    assert times is not None
    assert times == schedule(arrivals, 20_000, seed=7) != schedule(arrivals, 20_000, seed=8)
    assert times == sorted(times)
    assert times[-1] / len(times) == pytest.approx(1 / 50, rel=0.03)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_gaps_are_exponential_and_independent(seed: int) -> None:
    """By Kolmogorov and Smirnov at one percent, and by the correlation of neighbours."""
    times = schedule(Open(rate=50, spacing="poisson"), 20_000, seed=seed)
    gaps = np.diff(np.array(times)) * 50
    below = 1 - np.exp(-np.sort(gaps))
    distance = np.abs(below - np.arange(1, len(gaps) + 1) / len(gaps)).max()

    assert distance * math.sqrt(len(gaps)) < 1.63
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 3 / math.sqrt(len(gaps))


@pytest.mark.parametrize("spacing", ["constant", "poisson"])
def test_a_ramp_is_the_integral_of_its_rate(spacing: Spacing) -> None:
    """N(t) is 100 t^2 / 60 in a ramp of 30 s to 100/s, then linear: whatever the spacing."""
    times = schedule(Open(rate=100, ramp=30, spacing=spacing), 3_000, seed=4)
    units = schedule(Open(rate=1, spacing=spacing), 3_000, seed=4)
    assert times is not None
    arrived = [100 * t * t / 60 if t < 30 else 1500 + 100 * (t - 30) for t in times]

    assert arrived == pytest.approx(units)


def test_a_ramp_climbs_in_a_straight_line() -> None:
    """In the ramp as many begin as under a triangle, after it one each 1/rate."""
    times = schedule(Open(rate=10, ramp=4), 41, seed=0)

    assert times is not None
    assert sum(time < 2 for time in times) == 5
    assert sum(time < 4 for time in times) == 20
    assert times[20] == pytest.approx(4.0)
    assert times[40] - times[30] == pytest.approx(1.0)


STAGES = Staged(
    stages=(
        Stage(duration=10, rate=50),
        Stage(duration=5, rate=50),
        Stage(duration=0, rate=10),
        Stage(duration=20, rate=200),
        Stage(duration=8, rate=0),
        Stage(duration=3, rate=0),
        Stage(duration=2, rate=30),
    )
)


def rate_at(arrivals: Open | Staged, seconds: float) -> float:
    """Return the rate at a time, read off the stages."""
    begin, rate = 0.0, 0.0
    for stage in arrivals.stages:
        if seconds < begin + stage.duration:
            return rate + (stage.rate - rate) * (seconds - begin) / stage.duration

        begin, rate = begin + stage.duration, stage.rate

    return rate


def integral(arrivals: Open | Staged, seconds: float) -> float:
    """Add up the rate in steps small enough for three digits."""
    step = seconds / 20_000
    return math.fsum(rate_at(arrivals, step * (n + 0.5)) for n in range(20_000)) * step


@pytest.mark.slow
@pytest.mark.parametrize(
    "arrivals", [STAGES, Open(rate=30, ramp=12), Open(rate=30)], ids=["stages", "ramp", "rate"]
)
def test_device_n_starts_when_the_rates_have_added_up_to_n(arrivals: Open | Staged) -> None:
    """For any stages: up, level, a step, down to a pause, and up again."""
    times = schedule(arrivals, 3500, seed=0)

    assert times is not None
    assert times == sorted(times)
    for number in (1, 17, 249, 400, 499, 700, 2000, 3390, 3499):
        assert integral(arrivals, times[number]) == pytest.approx(number, abs=0.2)


def test_stages_are_those_of_k6() -> None:
    """To the target in a straight line; a step takes no time; the pause has no device."""
    times = schedule(STAGES, 3500, seed=0)

    assert times is not None
    assert [times[250], times[500]] == pytest.approx([10, 15])
    assert times[500] - times[499] == pytest.approx(1 / 50)
    assert times[501] - times[500] == pytest.approx(1 / 10, rel=0.05)
    assert not [time for time in times if 43.01 < time < 46]
    # After the last stage the rate is kept.
    assert times[3490] - times[3480] == pytest.approx(10 / 30)


def test_poisson_arrivals_follow_the_stages() -> None:
    """Mapped back through the stages they are as many as under them; shards share the schedule."""
    rates = replace(STAGES, spacing="poisson")
    times = schedule(rates, 3800, seed=3)

    assert times is not None
    assert times == sorted(times)
    for end, expected in ((10, 250), (15, 500), (35, 2600), (43, 3400)):
        assert abs(sum(time < end for time in times) - expected) < 4 * math.sqrt(expected)

    one, other = share(replace(rates, concurrency=3), 0, 2), share(rates, 1, 2)
    assert one == replace(rates, concurrency=2)
    assert schedule(one, 3800, seed=3) == schedule(other, 3800, seed=3) == times


@pytest.mark.parametrize(
    ("arrivals", "seconds", "count"),
    [
        (Open(rate=10), 30, 300),
        (Open(rate=0.3), 1, 1),
        (Open(rate=10, ramp=4), 4, 20),
        (Open(rate=10, ramp=4), 2, 5),
        (STAGES, 15, 500),
        (STAGES, 35, 2600),
        (STAGES, 46, 3400),
        (STAGES, 58, 3730),
    ],
)
def test_how_many_start_within_a_time(arrivals: Open | Staged, seconds: float, count: int) -> None:
    """As many as the schedule has before it, with the first at once."""
    times = schedule(arrivals, count + 1, seed=0)

    assert count_within(arrivals, seconds, seed=0) == count
    assert times is not None
    assert times[count - 1] < seconds <= times[count] + 1e-9


def test_stages_that_end_at_zero_have_a_last_device() -> None:
    """One more cannot start, and that is said."""
    arrivals = Staged(stages=(Stage(duration=10, rate=4), Stage(duration=10, rate=0)))
    times = schedule(arrivals, 40, seed=0)

    assert times is not None
    assert count_within(arrivals, 20, seed=0) == 40
    assert times[39] < 20
    with pytest.raises(ConfigurationError, match="stages cannot be 0"):
        schedule(arrivals, 42, seed=0)


def test_a_burst_is_at_once_and_closed_has_no_schedule() -> None:
    """All at zero; and none."""
    assert schedule(Burst(), 3, seed=0) == [0.0, 0.0, 0.0]
    assert schedule(Closed(concurrency=2), 3, seed=0) is None


@pytest.mark.parametrize(
    "arrivals",
    [
        Closed(concurrency=11),
        Burst(concurrency=11),
        Open(rate=3, spacing="poisson", ramp=2, concurrency=11),
    ],
    ids=lambda arrivals: type(arrivals).__name__,
)
def test_shards_share_the_places(arrivals: Arrivals) -> None:
    """Together they have as many as there are; everything else is left as it is."""
    parts = [share(arrivals, shard, 4) for shard in range(4)]

    assert [part.concurrency for part in parts] == [3, 3, 3, 2]
    assert {type(part) for part in parts} == {type(arrivals)}
    assert share(Burst(), 1, 4) == Burst()
    if isinstance(arrivals, Open):
        assert parts[0] == Open(rate=3, spacing="poisson", ramp=2, concurrency=3)


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        pytest.param(Closed, {"concurrency": 0}, "concurrency", id="nobody"),
        pytest.param(Closed, {"concurrency": 10**6}, "concurrency", id="everybody"),
        pytest.param(Closed, {"concurrency": 1.5}, "concurrency", id="half"),
        pytest.param(Burst, {"concurrency": -1}, "concurrency", id="negative"),
        pytest.param(Open, {"rate": 0}, "rate", id="never"),
        pytest.param(Open, {"rate": math.inf}, "rate", id="infinite"),
        pytest.param(Open, {"rate": math.nan}, "rate", id="nan"),
        pytest.param(Open, {"rate": 1, "ramp": -1}, "ramp", id="ramp"),
        pytest.param(Open, {"rate": 1, "concurrency": 0}, "concurrency", id="open"),
        pytest.param(Stage, {"duration": -1, "rate": 1}, "stages", id="before"),
        pytest.param(Stage, {"duration": math.inf, "rate": 1}, "stages", id="endless"),
        pytest.param(Stage, {"duration": 1, "rate": math.nan}, "stages", id="stage's rate"),
        pytest.param(Staged, {"stages": ()}, "stages", id="no stages"),
    ],
)
def test_nonsense(kind: type[Closed], values: dict[str, int], setting: str) -> None:
    """Numbers that make no sense are refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        kind(**values)

    assert caught.value.setting == setting
