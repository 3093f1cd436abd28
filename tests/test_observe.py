"""Steps are told to one hook, quickly, and observers cannot do harm."""

from __future__ import annotations

import logging

import pytest

from aiodps.models import Phase
from aiodps.observe import PhaseTimes, Reporter, Step, StepKind, log_step


def test_reporter() -> None:
    """A step knows whose it is, where, and how long it took."""
    steps: list[Step] = []
    report = Reporter("dev-1", "mqtt", steps.append)
    report(StepKind.SECURED, Phase.TLS, took=0.5)
    report(StepKind.SENT, Phase.REGISTER, text=lambda: "PUT")

    assert [(s.kind, s.took, s.text) for s in steps] == [
        (StepKind.SECURED, 0.5, ""),
        (StepKind.SENT, None, "PUT"),
    ]
    assert {(s.registration_id, s.transport) for s in steps} == {("dev-1", "mqtt")}


def test_nothing_is_computed_for_nobody() -> None:
    """Without an observer no text is made."""
    Reporter("dev-1", "rest")(StepKind.SENT, Phase.REGISTER, text=lambda: 1 // 0)  # type: ignore[arg-type, return-value]  # never called


def test_an_observer_without_the_wire() -> None:
    """It is not called for what goes over the wire, whose text is not made either."""

    class Counter:
        wire = False

        def __init__(self) -> None:
            self.kinds: list[StepKind] = []

        def __call__(self, step: Step, /) -> None:
            self.kinds.append(step.kind)

    counter = Counter()
    report = Reporter("dev-1", "rest", counter)
    report(StepKind.SENT, Phase.REGISTER, text=pytest.fail)
    report(StepKind.ACCEPTED, Phase.REGISTER)

    assert counter.kinds == [StepKind.ACCEPTED]


def test_a_broken_observer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises does not disturb; the log says so."""

    def broken(_: Step) -> None:
        raise ZeroDivisionError

    Reporter("dev-1", "rest", broken)(StepKind.SENT, Phase.REGISTER)

    assert "an observer failed on sent" in caplog.text


def test_the_log_reads_like_the_protocol(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG each step is a line in words; bytes of the wire are left out."""
    caplog.set_level(logging.DEBUG, "aiodps")
    report = Reporter("dev-1", "rest")
    report(StepKind.SENT, Phase.REGISTER, text="PUT canary")
    report(StepKind.RECEIVED, Phase.REGISTER, text="202 canary")
    report(StepKind.WAITING, Phase.WAIT, wait=3.0)
    report(StepKind.SECURED, Phase.TLS, took=0.0123)
    report(StepKind.RETRYING, Phase.TCP, wait=0.5, text="refused")

    assert caplog.messages == [
        "dev-1: waiting in phase wait, for 3.0 s",
        "dev-1: secured in phase tls, 12 ms",
        "dev-1: retrying in phase tcp, for 0.5 s, refused",
    ]


def test_a_quiet_log_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Above DEBUG nothing is written, and bytes of the wire are not even looked at."""
    caplog.set_level(logging.INFO, "aiodps")
    report = Reporter("dev-1", "rest")
    for kind in set(StepKind) - {StepKind.RETRYING, StepKind.CACHE_FAILED, StepKind.ASSIGNED}:
        report(kind, Phase.REGISTER)

    caplog.set_level(logging.DEBUG, "aiodps")
    report(StepKind.SENT, Phase.REGISTER, text=pytest.fail)

    assert caplog.messages == []


def test_a_slow_death_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Each retry is a warning, with its reason and the wait; the assignment is told, too."""
    caplog.set_level(logging.INFO, "aiodps")
    report = Reporter("dev-1", "rest")
    report(StepKind.RETRYING, Phase.TCP, wait=0.5, text="refused")
    report(StepKind.ASSIGNED, Phase.REGISTER, took=1.5)

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "dev-1: retrying in phase tcp, for 0.5 s, refused"),
        ("INFO", "dev-1: assigned in phase register, 1500 ms"),
    ]


def test_who_counts_them_may_have_them_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    """A fleet has thousands."""
    report = Reporter("dev-1", "rest", loud=False)
    caplog.set_level(logging.DEBUG, "aiodps")
    report(StepKind.RETRYING, Phase.TCP, wait=0.5, text="refused")

    assert [each.levelname for each in caplog.records] == ["DEBUG"]


def test_log_step_adds_what_goes_over_the_wire(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing twice; the bytes are left out."""
    caplog.set_level(logging.DEBUG, "aiodps")
    report = Reporter("d", "rest", log_step)
    report(StepKind.SECURED, Phase.TLS, took=0.0123)
    report(StepKind.SENT, Phase.REGISTER, text="PUT canary")

    assert caplog.messages == ["d: secured in phase tls, 12 ms", "d: sent in phase register"]


def step(
    kind: StepKind,
    at: float,
    phase: Phase,
    took: float | None = None,
    wait: float | None = None,
) -> Step:
    """Make a step."""
    return Step(
        kind=kind,
        at=at,
        registration_id="d",
        transport="rest",
        phase=phase,
        took=took,
        wait=wait,
    )


def test_phase_times_of_a_look_up() -> None:
    """Its request counts as a poll."""
    times = PhaseTimes()
    times(step(StepKind.LOOKING_UP, 1.0, Phase.POLL))
    times(step(StepKind.FOUND, 1.5, Phase.POLL, 2.0))

    assert times.seconds == {Phase.POLL: 0.5}


def test_phase_times() -> None:
    """Where the time went: each phase by itself, waits apart."""
    times = PhaseTimes()
    assert repr(times) == "<PhaseTimes nothing yet>"
    for one in (
        step(StepKind.RESOLVED, 0.1, Phase.DNS, 0.1),
        step(StepKind.CONNECTED, 0.3, Phase.TCP, 0.2),
        step(StepKind.SECURED, 0.6, Phase.TLS, 0.3),
        step(StepKind.REGISTERING, 0.6, Phase.REGISTER),
        step(StepKind.SENT, 0.65, Phase.REGISTER),
        step(StepKind.ACCEPTED, 1.0, Phase.REGISTER),
        step(StepKind.WAITING, 1.0, Phase.WAIT, wait=3.0),
        step(StepKind.POLLING, 4.0, Phase.POLL),
        step(StepKind.ASSIGNING, 4.5, Phase.POLL),
        step(StepKind.WAITING, 4.5, Phase.WAIT, wait=1.0),
        step(StepKind.POLLING, 5.5, Phase.POLL),
        step(StepKind.ASSIGNED, 5.75, Phase.POLL, 5.75),
    ):
        times(one)

    assert times.seconds == pytest.approx(
        {
            Phase.DNS: 0.1,
            Phase.TCP: 0.2,
            Phase.TLS: 0.3,
            Phase.REGISTER: 0.4,
            Phase.WAIT: 4.0,
            Phase.POLL: 0.75,
        }
    )
