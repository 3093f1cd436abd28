"""Bins of a histogram hold everybody, and are as wide as the devices ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.fleet.charts.bins import MOST_BINS, bins_of, is_far, log_bins, round_up
from aiodps.fleet.measure.histogram import Histogram

LATENCIES = st.lists(st.floats(0.001, 100), max_size=50)


@given(groups=st.lists(LATENCIES, min_size=1, max_size=3))
def test_law_everybody_is_in_one_bin(groups: list[list[float]]) -> None:
    """However they are spread, and whichever the axis."""
    found = bins_of(groups)

    assert [sum(each.count for each in bins) for bins in found] == [len(one) for one in groups]
    assert all(each.left < each.right for bins in found for each in bins)


def test_groups_share_their_edges() -> None:
    """So that they can be compared."""
    one, other = bins_of([[2.0, 2.11, 2.3], [2.02, 2.31, 2.49]])

    assert {each.left for each in one} & {each.left for each in other}
    assert len({round(each.right - each.left, 9) for each in (*one, *other)}) == 1


def test_more_devices_have_narrower_bins() -> None:
    """Each is to carry enough of them, and all are to be seen."""
    few, many = (bins_of([[2 + n / count for n in range(count)]])[0] for count in (8, 8000))

    assert len(few) < len(many) <= MOST_BINS + 1


@pytest.mark.parametrize("value", [0.05, 3.0])
def test_all_took_as_long(value: float) -> None:
    """Then there is one bin, about as wide as a tenth of it."""
    [[only]] = bins_of([[value] * 9])

    assert (only.left <= value < only.right, only.count) == (True, 9)


def test_one_that_took_many_times_as_long() -> None:
    """The axis is logarithmic: on a linear one, all others would be one bar."""
    latencies = [*(1 + n / 100 for n in range(99)), 90.0]
    [bins] = bins_of([latencies])

    assert (is_far(latencies), is_far(latencies[:-1]), is_far([])) == (True, False, False)
    assert len(bins) > 5
    assert bins[-1].left < 90 <= bins[-1].right


def test_buckets_are_joined() -> None:
    """A few devices in many buckets of a live histogram have wider bins; the edges meet."""
    histogram = Histogram(buckets=dict.fromkeys(range(32), 1))
    bins = log_bins(histogram, over=histogram)

    assert sum(each.count for each in bins) == 32
    assert len(bins) < 10
    assert [each.right for each in bins[:-1]] == [each.left for each in bins[1:]]
    assert log_bins(Histogram(), over=Histogram()) == []


@pytest.mark.parametrize(("value", "rounded"), [(0.013, 0.02), (1, 1), (2.1, 5), (6, 10)])
def test_numbers_that_can_be_said(value: float, rounded: float) -> None:
    """1, 2 and 5, and their tenfolds."""
    assert round_up(value) == rounded
