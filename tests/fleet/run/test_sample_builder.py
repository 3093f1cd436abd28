"""From steps to a sample."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fleet.journal.test_journal import PLANNED

from aiodps.errors import RegistrationFailedError
from aiodps.fleet.journal.transport import DeviceState
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.run.sample_builder import SampleBuilder
from aiodps.models import Assignment, Phase, RegistrationStatus
from aiodps.observe import Step, StepKind

TIMES = {"intended": 1.0, "started": 1.5, "finished": 9.0}


def step(kind: StepKind, at: float, phase: Phase = Phase.REGISTER, **more: float) -> Step:
    """Make a step."""
    return Step(
        kind=kind,
        at=at,
        registration_id="dev-0",
        transport="mqtt",
        phase=phase,
        **more,  # type: ignore[arg-type]  # seconds
    )


def test_where_the_time_went() -> None:
    """Phases by name; writing is not the service's time; requested waits are told from our own."""
    state = DeviceState(replace(PLANNED[0], sent=2), polls=1, throttled=1)
    builder = SampleBuilder(state, shard=3)
    builder(step(StepKind.CONNECTED, 2.0, Phase.TCP, took=0.1))
    builder(step(StepKind.SECURED, 2.2, Phase.TLS, took=0.2))
    builder(step(StepKind.REGISTERING, 2.2))
    state.journal_seconds = 0.05
    builder(step(StepKind.RETRYING, 2.5, wait=3.4, requested=3.0))
    builder(step(StepKind.REGISTERING, 6.0))
    builder(step(StepKind.RETRYING, 6.5, wait=0.75))
    builder(step(StepKind.REGISTERING, 7.0))
    builder(step(StepKind.ACCEPTED, 7.25))
    builder(step(StepKind.WAITING, 7.25, Phase.WAIT, wait=1.0, requested=0.25))
    builder(step(StepKind.POLLING, 8.25, Phase.POLL))
    builder(step(StepKind.ASSIGNED, 8.5, Phase.POLL, took=7.0))
    sample = builder.build(
        Assignment(
            registration_id="dev-0",
            device_id="device-0",
            assigned_hub="h.azure-devices.net",
            status=RegistrationStatus.ASSIGNED,
            transport="mqtt",
            credential=1,
        ),
        **TIMES,
    )

    assert sample.phases == pytest.approx(
        {
            "tcp": 0.1,
            "tls": 0.2,
            "register": 0.3 + 0.5 + 0.25 - 0.05,
            "journal": 0.05,
            "wait": 3.0 + 0.25,
            "poll_floor": 0.75,
            "poll": 0.25,
        }
    )
    assert sample.backoff == pytest.approx(0.4 + 0.75)
    assert (sample.retries, sample.register_requests, sample.polls, sample.throttled) == (
        2,
        2,
        1,
        1,
    )
    assert (sample.outcome, sample.shard) == (Outcome.ASSIGNED, 3)
    assert (sample.device_id, sample.assigned_hub) == ("device-0", "h.azure-devices.net")
    assert sample.credential == 1
    assert (sample.latency, sample.service_time) == (8.0, 7.5)


def test_a_journal_slower_than_what_it_guards() -> None:
    """Its writes come out of the phase that they were in: no second is counted twice."""
    state = DeviceState(PLANNED[0])
    builder = SampleBuilder(state, shard=0)
    builder(step(StepKind.REGISTERING, 2.0))
    state.journal_seconds = 1.0
    builder(step(StepKind.RETRYING, 3.5, Phase.SESSION, wait=0.5))
    builder(step(StepKind.POLLING, 4.0, Phase.POLL))
    state.journal_seconds = 3.0
    builder(step(StepKind.FAILED, 6.25, Phase.POLL, took=4.25))
    sample = builder.build(RegistrationFailedError("no", status_code=200), **TIMES)

    assert sample.phases == {"session": 0.5, "journal": 3.0, "poll": 0.25, "wait": 0.0}
    assert sample.backoff == 0.5


def test_the_floor_of_polls_is_ours() -> None:
    """What a service without Retry-After asks for is nothing."""
    builder = SampleBuilder(DeviceState(PLANNED[0]), shard=0)
    builder(step(StepKind.WAITING, 2.0, Phase.WAIT, wait=2.0))
    sample = builder.build(None, **TIMES)

    assert sample.phases == {"wait": 0.0, "poll_floor": 2.0}


def test_failures_keep_the_service_s_words() -> None:
    """Class, code and tracking id; the message is cut, and errors of Python's own are named."""
    error = RegistrationFailedError(
        "x" * 1000, status_code=200, error_code=400209, tracking_id="8ad0463c"
    )
    failed = SampleBuilder(DeviceState(PLANNED[0]), shard=0).build(error, **TIMES)

    assert failed.outcome is Outcome.FAILED
    assert (failed.error_class, failed.error_code) == ("RegistrationFailedError", 400209)
    assert failed.tracking_id == "8ad0463c"
    assert failed.error_message is not None
    assert len(failed.error_message) == 300
    bug = SampleBuilder(DeviceState(PLANNED[0]), shard=0).build(KeyError("secret"), **TIMES)
    assert (bug.error_class, bug.error_message) == ("KeyError", "KeyError")


def test_an_interrupted_one_has_no_error() -> None:
    """It did not fail; it may go on."""
    sample = SampleBuilder(DeviceState(PLANNED[0]), shard=0).build(None, **TIMES)

    assert (sample.outcome, sample.error_class) == (Outcome.INTERRUPTED, None)
