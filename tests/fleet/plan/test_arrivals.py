"""When devices begin."""

from __future__ import annotations

import itertools
import math

import pytest

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, schedule, share


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


def test_a_ramp_climbs_in_a_straight_line() -> None:
    """In the ramp as many begin as under a triangle, after it one each 1/rate."""
    times = schedule(Open(rate=10, ramp=4), 41, seed=0)

    assert times is not None
    assert sum(time < 2 for time in times) == 5
    assert sum(time < 4 for time in times) == 20
    assert times[20] == pytest.approx(4.0)
    assert times[40] - times[30] == pytest.approx(1.0)


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
    ],
)
def test_nonsense(kind: type[Closed], values: dict[str, int], setting: str) -> None:
    """Numbers that make no sense are refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        kind(**values)

    assert caught.value.setting == setting
