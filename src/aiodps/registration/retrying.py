"""What all machines share: connecting, retries, reauthentication, and the deadline.

Read `states.py` first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, assert_never

from aiodps.errors import ProvisioningError, ServiceError, UnauthorizedError
from aiodps.models import Phase
from aiodps.protocol.messages import Request, Response
from aiodps.registration.actions import (
    Action,
    Connect,
    Fail,
    Finish,
    R,
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
from aiodps.registration.responses import ResponseContext
from aiodps.registration.retry import RetryClass, RetryPolicy, classify, unit_jitter
from aiodps.registration.states import State, check_event


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParams:
    """The parameters that every machine has."""

    registration_id: str
    transport: str
    """Name of the transport, for the result and for errors."""
    timeout: float = 90.0
    """Seconds for the whole registration, or look-up."""
    exchange_timeout: float = 30.0
    """Seconds for one request and its response."""
    retry: RetryPolicy = RetryPolicy()  # noqa: RUF009 (frozen)
    seed: int = 0
    """Seed of the jitter."""
    hub_suffixes: Sequence[str] = ()
    """Domains that an assigned hub may be in."""


class RetryingMachine(ABC, Generic[R]):
    """A machine that sends one request at a time until it has a result, fails, or times out."""

    params: RequestParams

    def __init__(self) -> None:
        self.state: State = State.IDLE
        self.attempts: int = 0
        """Attempts so far: the first, and one more for each failure."""
        self._began = 0.0
        self._deadline = 0.0
        self._failures = 0
        self._last_error: ProvisioningError | None = None

    def receive(self, event: Event, *, now: float) -> Action[R]:
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

    @property
    @abstractmethod
    def _is_query(self) -> bool:
        """Whether the next request is a query: free, and with a minimum interval of its own."""

    @abstractmethod
    def _next_request(self) -> tuple[State, Request]:
        """Return the next request, and the state in which its response is awaited."""

    @abstractmethod
    def _on_response(self, response: Response, now: float) -> Action[R]:
        """Return what follows a response."""

    @abstractmethod
    def _out_of_time(
        self,
        now: float,
        last_error: ProvisioningError | None,
        *,
        phase: Phase | None = None,
    ) -> Action[R]:
        """Fail because the deadline has passed, or what comes next would be after it."""

    def _on_failure(self, event: ExchangeFailed, now: float) -> Action[R]:
        error = event.error
        if event.cut_short and now >= self._last_start:
            self.locate(error, now)
            return self._out_of_time(now, self._last_error or error, phase=error.phase)

        if self.state is State.REAUTHENTICATING:
            return self._fail(error, now)

        return self._retry(error, now)

    def _start(self, now: float) -> Action[R]:
        self._began = now
        self._deadline = now + self.params.timeout
        self.attempts = 1
        return self._connect(now)

    @property
    def _last_start(self) -> float:
        """When it is too late to begin a request."""
        return self._deadline

    def _connect(self, now: float) -> Action[R]:
        if now >= self._last_start:
            return self._out_of_time(now, self._last_error)

        self.state = State.CONNECTING
        return Connect(self._last_start)

    def _send(self, now: float, phase: Phase) -> Action[R]:
        if now >= self._last_start:
            return self._out_of_time(now, self._last_error, phase=phase)

        self.state, request = self._next_request()
        return Send(request, min(now + self.params.exchange_timeout, self._deadline))

    def _response_context(self, operation_id: str | None = None) -> ResponseContext:
        return ResponseContext(
            registration_id=self.params.registration_id,
            transport=self.params.transport,
            hub_suffixes=self.params.hub_suffixes,
            operation_id=operation_id,
        )

    def _finish(self, state: State, result: R) -> Action[R]:
        self.state = state
        return Finish(result)

    def _retry(self, error: ProvisioningError, now: float) -> Action[R]:
        retry_class = classify(error)
        if retry_class is RetryClass.REAUTHENTICATE and isinstance(error, UnauthorizedError):
            return self._reauthenticate(error, now)

        if retry_class is RetryClass.FINAL or self._is_exhausted(retry_class):
            return self._fail(error, now)

        return self._wait_to_retry(error, now)

    def _reauthenticate(self, refusal: UnauthorizedError, now: float) -> Action[R]:
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

    def _wait_to_retry(self, error: ProvisioningError, now: float) -> Action[R]:
        self.locate(error, now)
        if now >= self._deadline:
            return self._out_of_time(now, error, phase=error.phase)

        self._failures += 1
        requested = error.retry_after if isinstance(error, ServiceError) else None
        delay = self.params.retry.retry_delay(
            self._failures,
            retry_after=requested,
            unit_jitter=unit_jitter(self.params.seed, self.params.registration_id, self.attempts),
            polling=self._is_query,
        )
        if now + delay >= self._last_start:
            return self._fail(error, now)

        self._last_error = error
        self.attempts += 1
        self.state = State.WAITING
        return Wait(now + delay, WaitReason.RETRY, error, requested)

    def _fail(self, error: ProvisioningError, now: float) -> Action[R]:
        self.locate(error, now)
        self.state = State.FAILED
        return Fail(error)

    def locate(self, error: ProvisioningError, now: float) -> None:
        """Set where an error happened."""
        phase = {
            State.REGISTERING: Phase.REGISTER,
            State.POLLING: Phase.POLL,
            State.LOOKING_UP: Phase.POLL,
            State.WAITING: Phase.WAIT,
        }.get(self.state)
        error.locate(
            phase=phase,
            transport=self.params.transport,
            attempts=self.attempts,
            elapsed=now - self._began,
            registration_id=self.params.registration_id,
        )
