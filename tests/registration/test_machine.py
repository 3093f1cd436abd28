"""The machine, told as transcripts; then its table walked and its laws tried at random."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.registration.talk import (
    OPERATION_ID,
    answer,
    assigned,
    assigning,
    lost,
    plan,
    refused,
    registering,
)

from aiodps import errors
from aiodps.models import Assignment, Phase, RegistrationStatus
from aiodps.protocol.messages import QueryStatus, Register, Response
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
    ResponseReceived,
    Started,
    WaitElapsed,
)
from aiodps.registration.machine import Registration
from aiodps.registration.retry import RetryPolicy
from aiodps.registration.retrying import RetryingMachine
from aiodps.registration.states import TRANSITIONS, IllegalEventError, State
from aiodps.registration.status_look_up import StatusLookUp


def test_a_good_day() -> None:
    """Connect, register, wait as told, connect, poll, assigned."""
    machine = Registration(plan(), payload={"a": 1})

    assert machine.receive(Started(), now=100.0) == Connect(185.0)
    assert machine.receive(Connected(), now=100.1) == Send(Register({"a": 1}), 130.1)
    assert machine.receive(assigning(3.0), now=101.0) == Wait(
        104.0, WaitReason.ACCEPTED, None, 3.0
    )
    assert machine.receive(WaitElapsed(), now=104.0) == Connect(190.0)
    assert machine.receive(Connected(), now=104.0) == Send(QueryStatus(OPERATION_ID), 134.0)
    assert machine.receive(assigning(5.0), now=104.2) == Wait(
        109.2, WaitReason.ASSIGNING, None, 5.0
    )
    machine.receive(WaitElapsed(), now=109.2)
    machine.receive(Connected(), now=109.2)
    done = machine.receive(assigned(), now=109.3)
    assert isinstance(done, Finish)
    assert done.result.device_id == "dev-1"
    assert machine.state is State.ASSIGNED
    assert machine.attempts == 1


def test_a_request_to_wait_is_forgotten_once_waited_for() -> None:
    """A connection that fails afterwards is retried because it failed, not because of a request."""
    machine = Registration(plan())
    machine.receive(Started(), now=100.0)
    machine.receive(Connected(), now=100.0)
    machine.receive(assigning(3.0), now=100.0)
    machine.receive(WaitElapsed(), now=103.0)
    lost = ExchangeFailed(errors.ConnectionLostError("refused"))
    again = machine.receive(lost, now=103.1)

    assert isinstance(again, Wait)
    assert (again.reason, again.requested) == (WaitReason.RETRY, None)


def test_assigned_at_once() -> None:
    """A service that decides at once is believed."""
    machine = Registration(plan())
    registering(machine)

    assert isinstance(machine.receive(assigned(), now=1.0), Finish)


def test_a_known_operation_is_polled_first() -> None:
    """A registration that another process began goes on where it was: nothing is billed again."""
    machine = Registration(plan(), operation_id=OPERATION_ID)

    machine.receive(Started(), now=0.0)
    assert machine.receive(Connected(), now=0.1) == Send(QueryStatus(OPERATION_ID), 30.1)
    assert isinstance(machine.receive(assigned(), now=0.2), Finish)


def test_an_operation_of_before_that_is_forgotten() -> None:
    """Only when the service knows nothing of the operation the device is registered again."""
    machine = Registration(plan(), operation_id=OPERATION_ID)
    machine.receive(Started(), now=0.0)
    machine.receive(Connected(), now=0.1)
    wait = machine.receive(refused(404, 404204), now=0.2)

    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=wait.until)
    again = machine.receive(Connected(), now=wait.until)
    assert isinstance(again, Send)
    assert again.request == Register(None)


def test_a_certificate_request_is_sent_with_each_register() -> None:
    """It is the same one: its key is made once for a registration."""
    machine = Registration(plan(), csr="MIIB")
    machine.receive(Started(), now=0.0)
    first = machine.receive(Connected(), now=0.1)
    wait = machine.receive(lost(), now=1.0)
    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=wait.until)
    again = machine.receive(Connected(), now=wait.until)

    assert isinstance(first, Send)
    assert isinstance(again, Send)
    assert first.request == again.request == Register(None, "MIIB")


def test_a_lost_register_is_sent_again() -> None:
    """As long as no operation id is known, the register is what is sent again."""
    machine = Registration(plan())
    registering(machine)
    wait = machine.receive(lost(), now=1.0)

    assert isinstance(wait, Wait)
    assert wait.reason is WaitReason.RETRY
    machine.receive(WaitElapsed(), now=wait.until)
    again = machine.receive(Connected(), now=wait.until)
    assert isinstance(again, Send)
    assert again.request == Register(None)
    assert machine.attempts == 2


def test_a_known_operation_is_polled_again() -> None:
    """A register is billed: once an operation is known, trouble never sends another one."""
    machine = Registration(plan(timeout=10_000))
    registering(machine)
    machine.receive(assigning(), now=1.0)
    now = 4.0
    for trouble in (lost(), refused(503, 503000), refused(429, 429001), damaged(), lost()):
        machine.receive(WaitElapsed(), now=now)
        send = machine.receive(Connected(), now=now)
        wait = machine.receive(trouble, now=now)

        assert isinstance(send, Send)
        assert send.request == QueryStatus(OPERATION_ID)
        assert isinstance(wait, Wait)
        now = wait.until


def test_a_forgotten_operation_is_registered_again_once() -> None:
    """F33: a 404 to a poll means to register again, once; the second 404 is told."""
    machine = Registration(plan())
    registering(machine)
    for round_ in (1, 2):
        accepted = machine.receive(assigning(), now=1.0)
        assert isinstance(accepted, Wait)
        machine.receive(WaitElapsed(), now=4.0)
        machine.receive(Connected(), now=4.0)
        action = machine.receive(refused(404, 404203), now=5.0)
        if round_ == 2:
            break

        assert isinstance(action, Wait)
        assert machine.operation_id is None
        machine.receive(WaitElapsed(), now=action.until)
        again = machine.receive(Connected(), now=action.until)
        assert isinstance(again, Send)
        assert again.request == Register(None)

    assert isinstance(action, Fail)
    assert isinstance(action.error, errors.NotFoundError)
    assert action.error.phase is Phase.POLL


def test_not_found_on_register_is_final() -> None:
    """A 404 to a register means that there is no such instance or enrollment."""
    machine = Registration(plan())
    registering(machine)

    assert isinstance(machine.receive(refused(404, 404201), now=1.0), Fail)


def test_damage_gets_one_more_try() -> None:
    """A2: an answer that may be damaged is asked for once more, then told."""
    machine = Registration(plan())
    registering(machine)
    wait = machine.receive(damaged(), now=1.0)
    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=wait.until)
    machine.receive(Connected(), now=wait.until)
    failed = machine.receive(damaged(), now=wait.until)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.MalformedResponseError)
    assert failed.error.attempts == 2


def damaged() -> Event:
    """An answer that is not JSON."""
    return ExchangeFailed(errors.MalformedResponseError("not JSON", reason="json"))


def test_throttled_waits_as_told() -> None:
    """F16: a 429 waits at least as long as the service asked."""
    machine = Registration(plan())
    registering(machine)
    wait = machine.receive(refused(429, 429001, retry_after=30.0), now=1.0)

    assert isinstance(wait, Wait)
    assert 31.0 <= wait.until <= 36.0


def test_a_wait_that_does_not_fit_ends_at_once() -> None:
    """H33: a Retry-After past the deadline is told at once, with what the service asked."""
    machine = Registration(plan())
    registering(machine)
    failed = machine.receive(refused(429, 429001, retry_after=1e9), now=1.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ThrottledError)
    assert failed.error.retry_after == 1e9
    assert failed.error.elapsed == 1.0


def test_a_timeout_that_is_too_short_is_told_what_it_needs() -> None:
    """The service asked for more time than was left when it was given the register request."""
    machine = Registration(plan(timeout=1.0))
    registering(machine)
    failed = machine.receive(assigning(3.0), now=0.25)

    assert isinstance(failed, Fail)
    assert failed.error.hint == (
        "the service asks for a poll in 3.0 s, and 0.8 s are left: give a timeout of 5 s or more"
    )


def test_assigning_for_ever() -> None:
    """J17: a service that never decides ends in a time-out that knows the last status."""
    machine = Registration(plan(timeout=10.0))
    registering(machine)
    wait = machine.receive(assigning(3.0), now=0.0)
    while isinstance(wait, Wait):
        machine.receive(WaitElapsed(), now=wait.until)
        machine.receive(Connected(), now=wait.until)
        wait = machine.receive(assigning(3.0), now=wait.until)

    assert isinstance(wait, Fail)
    error = wait.error
    assert isinstance(error, errors.ProvisioningTimeoutError)
    assert error.last_status is RegistrationStatus.ASSIGNING
    assert error.operation_id == OPERATION_ID
    assert error.phase is Phase.POLL


def test_the_deadline_in_an_exchange() -> None:
    """An exchange never outlives the whole, and its time-out at the end is the whole's."""
    machine = Registration(plan(timeout=10.0, exchange_timeout=30.0))
    send = registering(machine)
    assert isinstance(send, Send)
    assert send.deadline == 10.0
    late = errors.TransportTimeoutError("no response arrived in time")
    failed = machine.receive(ExchangeFailed(late), now=10.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ProvisioningTimeoutError)
    assert failed.error.last_error is late
    assert failed.error.__cause__ is late


def test_what_the_deadline_cut_short_hides_no_trouble() -> None:
    """R01: the phase is where time ran out; the error is what went wrong before."""
    machine = Registration(plan(timeout=20.0))
    machine.receive(Started(), now=0.0)
    real = errors.TransportTimeoutError("no CONNACK came within 10 s").locate(phase=Phase.SESSION)
    wait = machine.receive(ExchangeFailed(real), now=5.0)
    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=wait.until)
    late = errors.TransportTimeoutError("no response arrived in time").locate(phase=Phase.TLS)
    failed = machine.receive(ExchangeFailed(late, cut_short=True), now=15.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ProvisioningTimeoutError)
    assert failed.error.phase is Phase.TLS
    assert failed.error.last_error is real
    assert (real.phase, real.attempts, real.elapsed) == (Phase.SESSION, 1, 5.0)


def test_what_the_deadline_cut_short_is_told_if_nothing_went_wrong() -> None:
    """It says at least where the silence was, and when."""
    machine = Registration(plan(timeout=10.0))
    machine.receive(Started(), now=0.0)
    late = errors.TransportTimeoutError("no response arrived in time").locate(phase=Phase.SESSION)
    failed = machine.receive(ExchangeFailed(late, cut_short=True), now=10.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ProvisioningTimeoutError)
    assert failed.error.last_error is late
    assert failed.error.phase is Phase.SESSION
    assert (late.phase, late.attempts, late.elapsed) == (Phase.SESSION, 1, 10.0)


def test_the_deadline_at_the_end_of_connecting() -> None:
    """Time that ran out while connecting did so in connecting's last phase; nothing was sent."""
    machine = Registration(plan(timeout=10.0))
    machine.receive(Started(), now=0.0)
    failed = machine.receive(Connected(Phase.SESSION), now=10.0)

    assert isinstance(failed, Fail)
    assert failed.error.phase is Phase.SESSION


@pytest.mark.parametrize("where", ["waiting", "connecting"])
def test_the_deadline_between_exchanges(where: str) -> None:
    """A clock that jumps past the deadline ends the registration wherever it is."""
    machine = Registration(plan(timeout=10.0))
    registering(machine)
    machine.receive(assigning(3.0), now=1.0)
    if where == "connecting":
        machine.receive(WaitElapsed(), now=4.0)

    event = WaitElapsed() if where == "waiting" else Connected()
    failed = machine.receive(event, now=11.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ProvisioningTimeoutError)


def test_a_deadline_without_any_answer() -> None:
    """A registration that never got through says so, with the last trouble."""
    machine = Registration(plan(timeout=10.0))
    machine.receive(Started(), now=0.0)
    refused_ = errors.ConnectError("refused").locate(phase=Phase.TCP)
    failed = machine.receive(ExchangeFailed(refused_), now=10.0)

    assert isinstance(failed, Fail)
    assert "no register request was sent" in failed.error.message
    assert failed.error.phase is Phase.TCP


@pytest.mark.parametrize(
    ("timeout", "reserve"), [(90.0, 5.0), (10.0, 5.0), (4.0, 2.0), (1.0, 0.5)]
)
def test_no_register_request_without_time_to_hear_of_it(timeout: float, reserve: float) -> None:
    """It is billed: 5 s are left for its response and one poll, or half of a short time."""
    early, late = Registration(plan(timeout=timeout)), Registration(plan(timeout=timeout))
    assert early.receive(Started(), now=0.0) == Connect(timeout - reserve)
    late.receive(Started(), now=0.0)
    sent = early.receive(Connected(), now=timeout - reserve - 0.01)
    failed = late.receive(Connected(), now=timeout - reserve)

    assert isinstance(sent, Send)
    assert isinstance(failed, Fail)
    assert "no register request was sent" in failed.error.message


def test_a_poll_needs_no_reserve() -> None:
    """It is free, and may be what decides."""
    machine = Registration(plan(timeout=10.0), operation_id=OPERATION_ID)

    assert machine.receive(Started(), now=0.0) == Connect(10.0)
    assert machine.receive(Connected(), now=9.9) == Send(QueryStatus(OPERATION_ID), 10.0)


def test_final_wins_even_when_late() -> None:
    """G7: an answer that decides is taken past the deadline too."""
    machine = Registration(plan(timeout=10.0))
    registering(machine)

    assert isinstance(machine.receive(assigned(), now=11.0), Finish)


def test_failures_in_a_row_are_counted() -> None:
    """`max_failures` ends a row of failures; an answer in between begins a new row."""
    machine = Registration(plan(retry=RetryPolicy(max_failures=2)))
    registering(machine)
    wait = machine.receive(lost(), now=1.0)
    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=wait.until)
    machine.receive(Connected(), now=wait.until)
    pending = machine.receive(assigning(), now=wait.until)
    assert isinstance(pending, Wait)
    machine.receive(WaitElapsed(), now=pending.until)
    machine.receive(Connected(), now=pending.until)
    assert isinstance(machine.receive(lost(), now=20.0), Wait)
    machine.receive(WaitElapsed(), now=25.0)
    failed = machine.receive(lost(), now=25.0)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ConnectionLostError)
    assert failed.error.attempts == 3


def test_an_error_knows_where_it_happened() -> None:
    """Phase, attempts, time spent, transport and device are in every error."""
    machine = Registration(plan(transport="mqtt"))
    registering(machine, now=5.0)
    failed = machine.receive(refused(403, 403000), now=6.5)

    assert isinstance(failed, Fail)
    error = failed.error
    assert (error.phase, error.attempts, error.elapsed) == (Phase.REGISTER, 1, 1.5)
    assert (error.transport, error.registration_id) == ("mqtt", "dev-1")


def asked(machine: Registration, event: Event, *, now: float) -> Reauthenticate:
    """Have the service refuse the credential."""
    action = machine.receive(event, now=now)
    assert isinstance(action, Reauthenticate)
    assert machine.state is State.REAUTHENTICATING
    return action


def test_a_refused_credential_is_the_result_if_there_is_no_other() -> None:
    """The device is asked whether it can authenticate in another way, and cannot."""
    machine = Registration(plan())
    registering(machine)
    action = asked(machine, refused(401, 401002), now=2.0)
    failed = machine.receive(ExchangeFailed(action.refusal), now=2.5)

    assert failed == Fail(action.refusal)
    assert action.deadline == 85.0
    assert (action.refusal.phase, action.refusal.attempts) == (Phase.REGISTER, 1)


def test_another_way_to_authenticate() -> None:
    """The device registers again at once, and that is one more attempt."""
    machine = Registration(plan())
    registering(machine)
    asked(machine, refused(401, 401000), now=2.0)

    assert machine.receive(Reauthenticated(), now=2.5) == Connect(85.0)
    assert machine.receive(Connected(), now=2.5) == Send(Register(None), 32.5)
    assert isinstance(machine.receive(assigned(), now=3.0), Finish)
    assert machine.attempts == 2


def test_a_session_that_is_refused() -> None:
    """CONNACK 5 comes before a request is sent."""
    machine = Registration(plan())
    machine.receive(Started(), now=0.0)
    error = errors.UnauthorizedError("no", status_code=401).locate(phase=Phase.SESSION)
    action = asked(machine, ExchangeFailed(error), now=1.0)

    assert action.refusal is error
    assert error.phase is Phase.SESSION


def test_a_refused_poll_is_polled_again() -> None:
    """The operation is known, and a register request would be billed."""
    machine = Registration(plan())
    registering(machine)
    wait = machine.receive(assigning(), now=1.0)
    assert isinstance(wait, Wait)
    machine.receive(WaitElapsed(), now=4.0)
    machine.receive(Connected(), now=4.0)
    asked(machine, refused(401, 401000), now=5.0)
    machine.receive(Reauthenticated(), now=5.0)

    assert machine.receive(Connected(), now=5.0) == Send(QueryStatus(OPERATION_ID), 35.0)


def test_no_time_to_authenticate_in_another_way() -> None:
    """An HSM may hang: the deadline is what failed, and the refusal is why."""
    machine = Registration(plan())
    registering(machine)
    action = asked(machine, refused(401, 401000), now=2.0)
    late = ExchangeFailed(errors.TransportTimeoutError("late"), cut_short=True)
    failed = machine.receive(late, now=action.deadline)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, errors.ProvisioningTimeoutError)
    assert failed.error.last_error is action.refusal


def test_repr() -> None:
    """The repr tells the state."""
    assert "'dev-1' idle" in repr(Registration(plan()))


EVENTS: list[Event] = [
    Started(),
    Connected(),
    WaitElapsed(),
    Reauthenticated(),
    lost(),
    ExchangeFailed(errors.UnauthorizedError("no", status_code=401)),
    ExchangeFailed(errors.ServerIdentityError("bad", reason="expired")),
    ExchangeFailed(errors.TransportTimeoutError("late")),
    damaged(),
    assigning(3.0),
    assigning(None),
    assigning(1e9),
    answer(202, operationId=OPERATION_ID, status="unassigned"),
    assigned(),
    answer(200, operationId=OPERATION_ID, status="failed"),
    answer(200, operationId="", status="disabled"),
    answer(200, operationId=OPERATION_ID, status="what"),
    refused(401, 401002),
    refused(404, 404203),
    refused(429, 429001, retry_after=3.0),
    refused(429, 429001),
    refused(503, 503000),
    ResponseReceived(Response(status_code=302, body=b"")),
]


def snapshot(machine: RetryingMachine[Any]) -> tuple[object, ...]:
    """Take what decides the machine's future, without times."""
    state = vars(machine)
    return (
        *tuple(
            (name, str(value))
            for name, value in state.items()
            if name not in {"plan", "attempts", "_began", "_failures", "_last_error"}
        ),
        min(machine.attempts, 3),
    )


def test_every_way_through_the_table() -> None:
    """From every state that can be reached, every event does what the table says, or nothing."""
    starts: list[RetryingMachine[Any]] = [Registration(plan()), StatusLookUp(plan())]
    seen = {snapshot(start) for start in starts}
    todo = [(start, 0.0) for start in starts]
    walked: set[tuple[State, type[Event], State]] = set()
    while todo:
        machine, now = todo.pop()
        for event in EVENTS:
            for later in (now, now + 100.0):
                step(machine, event, later, seen, todo, walked)

    table = {
        (before, event, after)
        for before, row in TRANSITIONS.items()
        for event, states in row.items()
        for after in states
    }
    assert walked == table


def step(
    machine: RetryingMachine[Any],
    event: Event,
    now: float,
    seen: set[tuple[object, ...]],
    todo: list[tuple[RetryingMachine[Any], float]],
    walked: set[tuple[State, type[Event], State]],
) -> None:
    """Try one event on a copy of the machine."""
    twin = copy.copy(machine)
    before = twin.state
    if type(event) not in TRANSITIONS[before]:
        with pytest.raises(IllegalEventError):
            twin.receive(event, now=now)

        assert vars(twin) == vars(machine)
        return

    twin.receive(event, now=now)
    walked.add((before, type(event), twin.state))
    if snapshot(twin) not in seen:
        seen.add(snapshot(twin))
        todo.append((twin, now))


def next_event(action: Action[Any], draw: st.DataObject) -> Event | None:
    """Let the world answer an action, in any way it can."""
    match action:
        case Connect():
            ways: list[Event] = [Connected()]
            ways += [event for event in EVENTS if isinstance(event, ExchangeFailed)]
            return draw.draw(st.sampled_from(ways))
        case Send():
            outcomes: list[Event] = [
                event for event in EVENTS if isinstance(event, ResponseReceived | ExchangeFailed)
            ]
            return draw.draw(st.sampled_from(outcomes))
        case Reauthenticate(refusal):
            answers: list[Event] = [Reauthenticated(), ExchangeFailed(refusal)]
            return draw.draw(st.sampled_from(answers))
        case Wait():
            return WaitElapsed()
        case _:
            return None


@pytest.mark.slow
@settings(max_examples=300)
@given(data=st.data(), timeout=st.floats(1, 1000), seed=st.integers(0, 2**64))
def test_laws(data: st.DataObject, timeout: float, seed: int) -> None:
    """Whatever the world does, the registration keeps its laws.

    Nothing points past the deadline, no wait is shorter than asked, registers are sent only
    without an operation id, and it always ends.
    """
    machine = Registration(plan(timeout=timeout, seed=seed))
    now = 1000.0
    deadline = now + timeout
    action = machine.receive(Started(), now=now)
    registers = lost_registers = 0
    for _ in range(2000):
        asked = 0.0
        event = next_event(action, data)
        if event is None:
            break

        if isinstance(action, Send) and isinstance(action.request, Register):
            registers += 1
            assert machine.operation_id is None

        now = action.until if isinstance(action, Wait) else now + data.draw(st.floats(0, 40))
        if isinstance(event, ResponseReceived):
            asked = event.response.retry_after or 0.0

        had_operation = machine.operation_id is not None
        action = machine.receive(event, now=now)
        if had_operation is False and machine.operation_id is None:
            lost_registers += 1

        match action:
            case Connect(until) | Send(_, until) | Reauthenticate(_, until):
                assert now < deadline
                assert until <= deadline
            case Wait(until, requested=requested):
                assert now + asked <= until < deadline
                assert requested in {None, asked}
            case _:
                assert machine.state in {State.ASSIGNED, State.FAILED}

    assert isinstance(action, Finish | Fail)
    assert not math.isnan(now)
    assert registers <= 2 + lost_registers


@pytest.mark.parametrize(("limit", "tries"), [(5, 5), (1, 1), (None, 8)])
def test_what_seldom_passes_is_tried_a_few_times(limit: int | None, tries: int) -> None:
    """A wrong endpoint is told within seconds, unless the policy is patient."""
    policy = RetryPolicy(max_unreachable=limit, base=0.0, cap=0.0)
    machine = Registration(plan(retry=policy))
    action: Action[Assignment] = machine.receive(Started(), now=0.0)
    while isinstance(action, Connect) and machine.attempts < 8:
        error = errors.ConnectError("refused")
        error.persistent = True
        action = machine.receive(ExchangeFailed(error), now=0.0)
        if isinstance(action, Wait):
            action = machine.receive(WaitElapsed(), now=0.0)

    assert machine.attempts == tries
    assert isinstance(action, Connect if limit is None else Fail)


def test_two_kinds_of_damage_are_one_after_the_other() -> None:
    """They do not take turns at being tried once more: each costs a register request."""
    machine = Registration(plan())
    registering(machine)
    first = machine.receive(
        ExchangeFailed(errors.MalformedResponseError("x", reason="json")), now=0.0
    )
    assert isinstance(first, Wait)
    machine.receive(WaitElapsed(), now=first.until)
    machine.receive(Connected(), now=first.until)
    second = machine.receive(
        ExchangeFailed(errors.ProtocolError("x", reason="framing")), now=first.until
    )

    assert isinstance(second, Fail)
