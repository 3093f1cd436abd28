"""The timeline loses nobody and shows the worst moment of each slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fleet.samples import sample

from aiodps.fleet.export.timeline import slot_width, timeline
from aiodps.fleet.measure.sample import Outcome, Sample

SAMPLES = st.lists(
    st.builds(
        lambda intended, lag, took, outcome: sample(
            intended=intended,
            started=intended + lag,
            finished=intended + lag + took,
            outcome=outcome,
        ),
        *(st.floats(0, 50), st.floats(0, 5), st.floats(0, 20), st.sampled_from(Outcome)),
    ),
    max_size=40,
)


@given(samples=SAMPLES, width=st.sampled_from([0.5, 1.0, 5.0]))
def test_everybody_is_counted(samples: list[Sample], width: float) -> None:
    """Rates times width are devices: each arrives once and ends once."""
    slots = timeline(samples, width=width)
    outcomes = [one.outcome for one in samples]

    assert round(sum(slot.arrivals for slot in slots) * width) == len(samples)
    assert round(sum(slot.assigned for slot in slots) * width) == outcomes.count(Outcome.ASSIGNED)
    assert round(sum(slot.failed for slot in slots) * width) == outcomes.count(Outcome.FAILED)


def test_figures() -> None:
    """Arrivals by intended start, ends by end, in flight at its worst, latencies of the slot."""
    slots = timeline(
        [
            sample(intended=0.0, started=0.5, finished=2.5),
            sample(intended=0.1, started=0.5, finished=0.9),
            sample(intended=0.2, started=2.1, finished=2.6, outcome=Outcome.FAILED),
        ],
        width=1.0,
    )

    assert [slot.begin for slot in slots] == [0.0, 1.0, 2.0]
    assert [slot.arrivals for slot in slots] == [3, 0, 0]
    assert [slot.in_flight for slot in slots] == [2, 1, 2]
    assert [(slot.assigned, slot.failed) for slot in slots] == [(1, 0), (0, 0), (1, 1)]
    assert [slot.p50 for slot in slots] == [pytest.approx(0.8), None, 2.5]


@pytest.mark.parametrize(
    ("duration", "width"),
    [(0, 0.5), (60, 0.5), (61, 1), (120, 1), (600, 5), (86_400, 900), (1e9, 3600)],
)
def test_widths_are_round(duration: float, width: float) -> None:
    """A chart has about a hundred slots, of a length that can be said."""
    assert slot_width(duration) == width


def test_nothing() -> None:
    """No samples, no slots."""
    assert timeline([], width=1.0) == []
