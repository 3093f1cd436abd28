"""The state machine of a registration: one event in, one action out. Read `states.py` first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never, final

from aiodps.errors import (
    NotFoundError,
    ProvisioningError,
    ProvisioningTimeoutError,
    ServiceError,
    UnauthorizedError,
)
from aiodps.models import Assignment, JsonObject, Phase, RegistrationStatus
from aiodps.protocol.messages import QueryStatus, Register, Response
from aiodps.protocol.payload_mask import PayloadMask
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
from aiodps.registration.responses import Pending, ResponseContext, interpret_response
from aiodps.registration.retry import RetryClass, RetryPolicy, classify, unit_jitter
from aiodps.registration.states import State, check_event

REGISTER_RESERVE = 5.0
"""Seconds that have to be left to hear the response to a register request and to poll once: the
service asks for 3 s in between. At most half of the whole time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationParams:
    """The parameters of one registration."""

    registration_id: str
    transport: str
    """Name of the transport, for the assignment and for errors."""
    payload: JsonObject | None = None
    csr: str | None = field(default=None, repr=False)
    """Request for a certificate (base64 of DER); None to ask for none."""
    timeout: float = 90.0
    """Seconds for the whole registration."""
    exchange_timeout: float = 30.0
    """Seconds for one request and its response."""
    retry: RetryPolicy = RetryPolicy()  # noqa: RUF009 (frozen)
    seed: int = 0
    """Seed of the jitter."""
    hub_suffixes: Sequence[str] = ()
    """Domains that an assigned hub may be in."""
    operation_id: str | None = None
    """Operation that an earlier process started: it is polled, which is free, before a register
    request is sent. None if there is none."""


@final
class Registration:
    """The registration of one device, from idle to assigned or failed."""

    def __init__(self, params: RegistrationParams) -> None:
        self.params = params
        self.state: State = State.IDLE
        self.operation_id: str | None = params.operation_id
        """The operation to poll; None if there is none yet, or no longer."""
        self.attempts: int = 0
        """Attempts so far: the first, and one more for each failure."""
        self._mask = PayloadMask(params.payload, public=[params.registration_id])
        self._began = 0.0
        self._deadline = 0.0
        self._failures = 0
        self._register_sent = False
        self._forgotten = False
        self._last_status: RegistrationStatus | None = None
        self._last_error: ProvisioningError | None = None

    def __repr__(self) -> str:
        """Return the state, for debugging."""
        params = self.params
        return f"<Registration {params.registration_id!r} {self.state.value} {self.attempts=}>"

    def receive(self, event: Event, *, now: float) -> Action:
        """Process an event and return the next action.

        Args:
            event: What happened.
            now: Seconds of a monotonic clock, the same one in every call.

        Raises:
            IllegalEventError: If the event is not allowed in this state; nothing has changed.
        """
        check_event(self.state, event)
        match event:
            case Started():
                return self._start(now)
            case Connected(phase):
                return self._send(now, phase)
            case ResponseReceived(response):
                return self._on_response(response, now)
            case ExchangeFailed():
                return self._on_failure(event, now)
            case Reauthenticated():
                self.attempts += 1
                return self._connect(now)
            case WaitElapsed():
                return self._connect(now)
            case _:
                assert_never(event)

    def _on_failure(self, event: ExchangeFailed, now: float) -> Action:
        error = event.error
        if event.cut_short and now >= self._last_start:
            self.locate(error, now)
            return self._out_of_time(now, self._last_error or error, phase=error.phase)

        if self.state is State.REAUTHENTICATING:
            return self._fail(error, now)

        return self._retry(error, now)

    def _start(self, now: float) -> Action:
        self._began = now
        self._deadline = now + self.params.timeout
        self.attempts = 1
        return self._connect(now)

    @property
    def _last_start(self) -> float:
        """When it is too late to begin a request: a register request is billed, a poll is free."""
        if self.operation_id is not None:
            return self._deadline

        return self._deadline - min(REGISTER_RESERVE, self.params.timeout / 2)

    def _connect(self, now: float) -> Action:
        if now >= self._last_start:
            return self._out_of_time(now, self._last_error)

        self.state = State.CONNECTING
        return Connect(self._last_start)

    def _send(self, now: float, phase: Phase) -> Action:
        if now >= self._last_start:
            return self._out_of_time(now, self._last_error, phase=phase)

        deadline = min(now + self.params.exchange_timeout, self._deadline)
        if self.operation_id is None:
            self.state = State.REGISTERING
            self._register_sent = True
            return Send(Register(self.params.payload, self.params.csr), deadline)

        self.state = State.POLLING
        return Send(QueryStatus(self.operation_id), deadline)

    def _response_context(self) -> ResponseContext:
        return ResponseContext(
            registration_id=self.params.registration_id,
            transport=self.params.transport,
            hub_suffixes=self.params.hub_suffixes,
            operation_id=self.operation_id,
        )

    def _on_response(self, response: Response, now: float) -> Action:
        match interpret_response(response, self._response_context()):
            case Assignment() as assignment:
                self.state = State.ASSIGNED
                return Finish(assignment)
            case Pending() as pending:
                return self._wait_to_poll(pending, now)
            case NotFoundError() as error if self.state is State.POLLING and not self._forgotten:
                # Only here a known operation is given up: the service has forgotten it.
                self._forgotten = True
                self.operation_id = None
                return self._wait_to_retry(error, now)
            case ProvisioningError() as error:
                return self._retry(error, now)
            case unreachable:
                assert_never(unreachable)

    def _wait_to_poll(self, pending: Pending, now: float) -> Action:
        first = self.state is State.REGISTERING
        self.operation_id = pending.operation_id
        self._last_status = pending.status
        self._failures = 0
        until = now + self.params.retry.poll_delay(pending.retry_after)
        if until >= self._deadline:
            return self._out_of_time(now, self._last_error, hint=self._enough(until, now))

        self.state = State.WAITING
        reason = WaitReason.ACCEPTED if first else WaitReason.ASSIGNING
        return Wait(until, reason, None, pending.retry_after)

    def _retry(self, error: ProvisioningError, now: float) -> Action:
        retry_class = classify(error)
        if retry_class is RetryClass.REAUTHENTICATE and isinstance(error, UnauthorizedError):
            return self._reauthenticate(error, now)

        if retry_class is RetryClass.FINAL or self._is_exhausted(retry_class):
            return self._fail(error, now)

        return self._wait_to_retry(error, now)

    def _reauthenticate(self, refusal: UnauthorizedError, now: float) -> Action:
        if now >= self._last_start:
            return self._fail(refusal, now)

        self.locate(refusal, now)
        self._last_error = refusal
        self.state = State.REAUTHENTICATING
        return Reauthenticate(refusal, self._last_start)

    def _is_exhausted(self, retry_class: RetryClass) -> bool:
        last, policy = self._last_error if self._failures else None, self.params.retry
        once_more = last is not None and classify(last) is RetryClass.ONCE_MORE
        if once_more and retry_class is RetryClass.ONCE_MORE:
            return True

        limits = [policy.max_failures]
        if retry_class is RetryClass.PERSISTENT:
            limits.append(policy.max_unreachable)

        return any(limit is not None and self._failures + 1 >= limit for limit in limits)

    def _wait_to_retry(self, error: ProvisioningError, now: float) -> Action:
        self.locate(error, now)
        if now >= self._deadline:
            return self._out_of_time(now, error, phase=error.phase)

        self._failures += 1
        requested = error.retry_after if isinstance(error, ServiceError) else None
        delay = self.params.retry.retry_delay(
            self._failures,
            retry_after=requested,
            unit_jitter=unit_jitter(self.params.seed, self.params.registration_id, self.attempts),
            polling=self.operation_id is not None,
        )
        if now + delay >= self._last_start:
            return self._fail(error, now)

        self._last_error = error
        self.attempts += 1
        self.state = State.WAITING
        return Wait(now + delay, WaitReason.RETRY, error, requested)

    def _enough(self, poll: float, now: float) -> str:
        """Say which timeout would have been enough for the next poll and its response."""
        needed = math.ceil(poll - self._began) + 1
        return (
            f"the service asks for a poll in {poll - now:.1f} s, and {self._deadline - now:.1f} s "
            f"are left: give a timeout of {needed} s or more"
        )

    def _out_of_time(
        self,
        now: float,
        last_error: ProvisioningError | None,
        *,
        phase: Phase | None = None,
        hint: str | None = None,
    ) -> Action:
        nothing = "no response yet" if self._register_sent else "no register request was sent"
        status = f"last status {self._last_status}" if self._last_status else nothing
        timeout = ProvisioningTimeoutError(
            f"not assigned within {self.params.timeout:g} s ({status})",
            last_status=self._last_status,
            last_error=last_error,
            operation_id=self.operation_id,
            hint=hint,
        )
        timeout.__cause__ = last_error
        return self._fail(timeout.locate(phase=phase), now)

    def _fail(self, error: ProvisioningError, now: float) -> Action:
        self.locate(error, now)
        self.state = State.FAILED
        return Fail(error)

    def locate(self, error: ProvisioningError, now: float) -> None:
        """Say in an error where it happened, and mask what the device has sent."""
        phase = {
            State.REGISTERING: Phase.REGISTER,
            State.POLLING: Phase.POLL,
            State.WAITING: Phase.WAIT,
        }.get(self.state)
        error.locate(
            phase=phase,
            transport=self.params.transport,
            attempts=self.attempts,
            elapsed=now - self._began,
            registration_id=self.params.registration_id,
        )
        self._mask.apply_to(error)
