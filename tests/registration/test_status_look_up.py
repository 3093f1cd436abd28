"""The look-up, told as transcripts: one request, free, with a result for every status."""

from __future__ import annotations

from typing import Any

import pytest
from tests.registration.talk import answer, lost, plan, refused

from aiodps import errors
from aiodps.models import Phase, RegistrationRecord, RegistrationStatus
from aiodps.protocol.messages import LookUpStatus
from aiodps.registration.actions import (
    Action,
    Connect,
    Fail,
    Finish,
    Reauthenticate,
    Send,
    Wait,
    WaitReason,
)
from aiodps.registration.events import (
    Connected,
    Event,
    ExchangeFailed,
    Reauthenticated,
    Started,
    WaitElapsed,
)
from aiodps.registration.states import State
from aiodps.registration.status_look_up import StatusLookUp


def asked(**changes: Any) -> StatusLookUp:
    """Bring a new machine to its request."""
    machine = StatusLookUp(plan(**changes))
    machine.receive(Started(), now=0.0)
    machine.receive(Connected(), now=0.0)
    return machine


def record(**members: Any) -> Event:
    """200, the record of dev-1."""
    return answer(200, registrationId="dev-1", **members)


def failure(action: Action[RegistrationRecord]) -> errors.ProvisioningError:
    """Take the error out of an action that has to be one."""
    assert isinstance(action, Fail)
    return action.error


def test_a_good_day() -> None:
    """Connect, ask, found; there is no reserve, because nothing is billed."""
    machine = StatusLookUp(plan())

    assert machine.receive(Started(), now=100.0) == Connect(190.0)
    assert machine.receive(Connected(), now=100.1) == Send(LookUpStatus(), 130.1)
    done = machine.receive(record(status="assigned", deviceId="press-4"), now=100.2)
    assert isinstance(done, Finish)
    assert done.result.device_id == "press-4"
    assert machine.state is State.FOUND
    assert "'dev-1' found" in repr(machine)


@pytest.mark.parametrize("status", RegistrationStatus)
def test_every_status_is_a_result(status: RegistrationStatus) -> None:
    """A registration that failed is what was asked for: neither an error nor a reason to wait."""
    done = asked().receive(record(status=status.value), now=1.0)

    assert isinstance(done, Finish)
    assert done.result.status is status


def test_an_unknown_device() -> None:
    """404 is final, and its hint is that of a device without a record."""
    error = failure(asked().receive(refused(404, 404201), now=1.0))

    assert isinstance(error, errors.NotFoundError)
    assert (error.phase, error.attempts, error.elapsed) == (Phase.POLL, 1, 1.0)
    assert "has not registered yet" in error.hint


@pytest.mark.parametrize("event", [lost(), refused(429, 429001), refused(503, 503000)])
def test_what_passes_is_retried(event: Event) -> None:
    """A lost connection and a throttled request are tried again, not faster than polls."""
    machine = asked()
    again = machine.receive(event, now=0.0)

    assert isinstance(again, Wait)
    assert again.reason is WaitReason.RETRY
    assert again.until >= 2.0
    assert isinstance(machine.receive(WaitElapsed(), now=again.until), Connect)
    assert machine.attempts == 2


def test_a_refused_credential() -> None:
    """A refusal asks for another way to authenticate, and the request is sent once more."""
    machine = asked()

    assert isinstance(machine.receive(refused(401, 401002), now=0.5), Reauthenticate)
    assert isinstance(machine.receive(Reauthenticated(), now=0.5), Connect)
    assert machine.receive(Connected(), now=0.5) == Send(LookUpStatus(), 30.5)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (record(), errors.UnknownStatusError),
        (answer(200, registrationId="dev-2", status="assigned"), errors.IdentityMismatchError),
        (record(status="assigned", assignedHub="evil.test"), errors.UntrustedHubError),
        (answer(302), errors.RedirectRefusedError),
    ],
)
def test_what_is_not_believed(event: Event, error: type[errors.ProvisioningError]) -> None:
    """What a registration would not believe, a look-up does not either."""
    assert type(failure(asked().receive(event, now=1.0))) is error


def test_out_of_time() -> None:
    """The deadline ends it with the last failure as its cause."""
    machine = asked(timeout=10.0)
    late = errors.TransportTimeoutError("late").locate(phase=Phase.POLL)
    error = failure(machine.receive(ExchangeFailed(late, cut_short=True), now=10.0))

    assert isinstance(error, errors.ProvisioningTimeoutError)
    assert error.message == "no registration record was returned within 10 s"
    assert (error.phase, error.last_error) == (Phase.POLL, late)
    assert error.__cause__ is late
