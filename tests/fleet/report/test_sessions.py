"""Figures of sessions and shards, by arithmetic."""

from __future__ import annotations

import dataclasses

import pytest
from tests.fleet.journal.test_sessions import FIRST, SECOND
from tests.fleet.known_runs import FACTS
from tests.fleet.samples import sample

from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.sessions import pauses, session_figures, shard_figures, without_pauses
from aiodps.fleet.report.summary import summarize

TOOK = 0.5
RESUMED = dataclasses.replace(SECOND, seconds=6.0, ended=True)
"""Killed at 5 s, resumed at 20 s; caught up until 21 s; ended at 26 s."""


def started_at(*times: float) -> list[Sample]:
    """Make devices that should have started at these times, and were assigned soon after."""
    return [sample(intended=time, started=time, finished=time + TOOK, phases={}) for time in times]


BEFORE = started_at(*(number / 10 for number in range(45)))
LEFT = [
    dataclasses.replace(one, resumed=True, finished=20.5 + number / 10)
    for number, one in enumerate(started_at(4.5, 4.6, 4.7, 4.8, 4.9))
]
AFTER = started_at(*(21.0 + number / 10 for number in range(45)))


@pytest.mark.parametrize(
    ("spans", "gaps"),
    [
        ([], []),
        ([(0, 5)], []),
        ([(20, 26), (0, 5)], [(5, 20)]),
        ([(0, 5), (0, 26), (20, 26)], []),
        ([(0, 5), (4, 6), (9, 10), (12, 13)], [(6, 9), (10, 12)]),
    ],
)
def test_a_pause_is_when_no_shard_ran(
    spans: list[tuple[float, float]], gaps: list[tuple[float, float]]
) -> None:
    """Spans may overlap, and come in any order."""
    assert pauses(spans) == gaps


def test_rates_leave_out_the_pause() -> None:
    """Ten a second were offered, before the kill and after it; the pause of 15 s dilutes nothing."""
    facts = dataclasses.replace(FACTS, sessions=(FIRST, RESUMED))
    figures = summarize([*BEFORE, *LEFT, *AFTER], facts)["transports"]["rest"]

    assert figures["offered_rate"] == pytest.approx(94 / 9.4)
    # The second in which the resumed session caught up is the run's, and not the schedule's.
    assert figures["achieved_rate"] == pytest.approx(84 / 9.4)
    assert figures["drain_time"] == pytest.approx(TOOK + 1.0)
    assert figures["resumed"] == 5


def test_what_was_left_behind_makes_no_run_look_better() -> None:
    """It is in the latency with the pause, and in no phase; the others' parts add up."""
    facts = dataclasses.replace(FACTS, sessions=(FIRST, RESUMED))
    figures = summarize([*BEFORE, *LEFT, *AFTER], facts)["transports"]["rest"]

    assert figures["latency"]["max"] == pytest.approx(16.0)
    assert figures["latency"]["p95"] == pytest.approx(16.0)
    assert figures["latency"]["p90"] == pytest.approx(TOOK)
    assert figures["waited"]["other"]["max"] == pytest.approx(TOOK)


def test_a_run_without_a_pause_is_as_it_was() -> None:
    """No sample is moved."""
    assert without_pauses([FIRST])(BEFORE[3]) is BEFORE[3]


def test_each_session_has_its_figures() -> None:
    """What should have started in it, what it left behind, what it assigned, at which rates."""
    failed = dataclasses.replace(AFTER[-1], outcome=Outcome.FAILED)
    first, second = session_figures((FIRST, RESUMED), [*BEFORE, *LEFT, *AFTER[:-1], failed])

    assert (first["began"], first["ended"], first["last_seen"]) == (0.0, None, 5.0)
    assert (second["began"], second["ended"], second["place"]) == (20.0, 26.0, 5.0)
    assert (first["devices"], first["left_behind"], first["assigned"]) == (50, 5, 45)
    assert (second["devices"], second["left_behind"], second["assigned"]) == (45, 0, 49)
    assert (first["failed"], second["failed"]) == (0, 1)
    assert first["offered_rate"] == pytest.approx(10.0)
    assert second["offered_rate"] == pytest.approx(10.0)
    assert first["achieved_rate"] == pytest.approx(45 / 4.9)
    assert first["started_at"] == "1970-01-01T00:16:40+00:00"


def test_a_session_in_which_nothing_happened() -> None:
    """It has no rates."""
    (figures,) = session_figures((FIRST,), [])

    assert (figures["devices"], figures["offered_rate"], figures["achieved_rate"]) == (
        0,
        None,
        None,
    )


@pytest.mark.parametrize(("began", "overlap"), [(0.0, 1.0), (1.0, 0.9), (3.0, 0.7), (15.0, 0.0)])
def test_shards_that_were_not_together_are_told(began: float, overlap: float) -> None:
    """Two shards of ten seconds each, one of them later."""
    second = dataclasses.replace(FIRST, shard=1, began=began)
    ten = sample(intended=0.0, finished=10.0)
    late = dataclasses.replace(ten, shard=1, intended=began, finished=began + 10.0)
    figures = shard_figures((FIRST, second), [ten, late])

    assert figures == {"overlap": overlap, "started_apart": began, "skew": None}


def test_a_clock_that_is_off_is_told() -> None:
    """By how much, if there was a leader to say so; of one shard there is nothing to tell."""
    sessions = [
        dataclasses.replace(FIRST, shard=n, skew=skew) for n, skew in ((0, 0.0), (1, -3.0))
    ]

    assert shard_figures(sessions, [])["skew"] == 3.0
    assert shard_figures((FIRST,), BEFORE) == {"overlap": None, "started_apart": 0.0, "skew": None}
    assert shard_figures((), []) == {"overlap": None, "started_apart": None, "skew": None}


def test_latency_without_the_journal_is_a_distribution() -> None:
    """Each device's own wait for the disk is taken out of its own latency."""
    slow = [
        sample(intended=0.0, finished=1.0, phases={"journal": 0.9}),
        sample(intended=0.0, finished=0.5, phases={"journal": 0.1}),
    ]
    figures = summarize(slow, FACTS)["transports"]["rest"]

    assert figures["latency"]["max"] == 1.0
    assert figures["latency_without_journal"]["max"] == pytest.approx(0.4)
    assert figures["latency_without_journal"]["p50"] == pytest.approx(0.1)
