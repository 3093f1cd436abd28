"""What a reader has to know first is said in sentences."""

from __future__ import annotations

from dataclasses import replace

from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample, sessions_of

from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.cautions import cautions, unfinished
from aiodps.fleet.report.session_cautions import session_cautions
from aiodps.fleet.report.summary import Summary, summarize


def summary_of(*samples: Sample, load: GeneratorLoad | None = GeneratorLoad()) -> Summary:  # noqa: B008 (frozen)
    """Summarize samples of one session."""
    return summarize(samples, replace(FACTS, sessions=sessions_of(load)))


def test_a_run_that_needs_none() -> None:
    """All assigned, and the generator kept up."""
    assert cautions(summary_of(sample())) == []


def test_the_generator() -> None:
    """That it limited the run comes first; that nobody knows is said, too."""
    late = summary_of(sample(), load=GeneratorLoad(loop_lag_p99=0.5, fds_max=99, fds_limit=100))

    assert cautions(late) == [
        (
            "The run was limited by its generator: 99 of 100 file descriptors were open; the event "
            "loop was late by 500 ms at p99, 50.0 % of latency p99."
        )
    ]
    assert cautions(summary_of(sample(), load=None)) == [
        (
            "Whether the generator limited the run is not known: 1 of 1 sessions left no measurement "
            "of the generator: killed, or of another version."
        )
    ]
    assert cautions(summary_of(load=None)) == []


def test_those_who_are_not_in_the_latencies() -> None:
    """Failures if they change p99, and registrations that have not ended."""
    broken = sample(outcome=Outcome.FAILED, error_class="ForbiddenError")
    summary = summary_of(sample(), broken)

    assert cautions(summary) == [
        (
            "1 of 2 devices over rest were not assigned, and are missing in its latencies: of all "
            "that started, p99 is never."
        )
    ]
    assert cautions(summary_of(*[sample()] * 100, broken)) == []
    left = {**summary_of(sample()), "states": {"planned": 3, "sent": 2, "assigned": 1}}
    assert cautions(left) == ["5 registrations have not ended."]
    flying = summary_of(*[sample()] * 100, sample(outcome=Outcome.INTERRUPTED))
    assert cautions(flying) == ["1 registration has not ended.", *session_cautions(flying)]


def test_unfinished() -> None:
    """By the states of all that were planned, or by samples if these are all there is."""
    interrupted = summary_of(sample(outcome=Outcome.INTERRUPTED))

    assert unfinished(interrupted) == 1
    assert unfinished({**interrupted, "states": {"planned": 2, "operation": 1}}) == 3
    assert unfinished(summary_of(sample())) == 0
