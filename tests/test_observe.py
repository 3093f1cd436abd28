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


def test_a_broken_observer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises does not disturb; the log says so."""

    def broken(_: Step) -> None:
        raise ZeroDivisionError

    Reporter("dev-1", "rest", broken)(StepKind.SENT, Phase.REGISTER)

    assert "an observer failed on sent" in caplog.text


def test_the_log_reads_like_the_protocol(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG each step is a line with a glyph; bytes of the wire are left out."""
    caplog.set_level(logging.DEBUG, "aiodps")
    report = Reporter("dev-1", "rest", log_step)
    report(StepKind.SENT, Phase.REGISTER, text="PUT canary")
    report(StepKind.RECEIVED, Phase.REGISTER, text="202 canary")
    report(StepKind.WAITING, Phase.WAIT, wait=3.0)
    report(StepKind.SECURED, Phase.TLS, took=0.0123)
    report(StepKind.RETRYING, Phase.TCP, wait=0.5, text="refused")

    assert caplog.messages == [
        "> dev-1 sent register",
        "< dev-1 received register",
        "~ dev-1 waiting wait for 3.0 s",
        "= dev-1 secured tls 12 ms",
        "! dev-1 retrying tcp for 0.5 s refused",
    ]


def test_a_quiet_log_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Above DEBUG nothing is written."""
    caplog.set_level(logging.INFO, "aiodps")
    Reporter("dev-1", "rest", log_step)(StepKind.SENT, Phase.REGISTER)

    assert caplog.messages == []


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


def test_phase_times() -> None:
    """Where the time went: each phase by itself, waits apart."""
    times = PhaseTimes()
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
