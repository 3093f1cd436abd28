"""The state machine of a registration: one event in, one action out. Read `states.py` first."""

from __future__ import annotations

import math
from typing import assert_never, final

from aiodps.errors import NotFoundError, ProvisioningError, ProvisioningTimeoutError
from aiodps.models import Assignment, JsonObject, Phase, RegistrationStatus
from aiodps.protocol.messages import QueryStatus, Register, Request, Response
from aiodps.protocol.payload_mask import PayloadMask
from aiodps.registration.actions import Action, Wait, WaitReason
from aiodps.registration.responses import Pending, interpret_response
from aiodps.registration.retrying import RequestParams, RetryingMachine
from aiodps.registration.states import State

REGISTER_RESERVE = 5.0
"""Seconds that must remain for the response to a register request and one poll: the service asks
for 3 s in between. At most half of the timeout."""


@final
class Registration(RetryingMachine[Assignment]):
    """The registration of one device, from idle to assigned or failed."""

    def __init__(
        self,
        params: RequestParams,
        *,
        payload: JsonObject | None = None,
        csr: str | None = None,
        operation_id: str | None = None,
    ) -> None:
        """Begin a registration, which is idle until it has started.

        Args:
            params: The parameters of its requests.
            payload: The custom payload; None to send none.
            csr: Request for a certificate (base64 of DER); None to ask for none.
            operation_id: Operation that an earlier process started: it is polled, which is free,
                before a register request is sent. None if there is none.
        """
        super().__init__()
        self.params: RequestParams = params
        self.operation_id: str | None = operation_id
        """The operation to poll; None if there is none yet, or no longer."""
        self._register = Register(payload, csr)
        self._mask = PayloadMask(payload, public=[params.registration_id])
        self._reserve = min(REGISTER_RESERVE, params.timeout / 2)
        self._register_sent = False
        self._forgotten = False
        self._last_status: RegistrationStatus | None = None

    def __repr__(self) -> str:
        """Return the state, for debugging."""
        params = self.params
        return f"<Registration {params.registration_id!r} {self.state.value} {self.attempts=}>"

    @property
    def _is_query(self) -> bool:
        return self.operation_id is not None

    @property
    def _last_start(self) -> float:
        """When it is too late to begin a request: a register request is billed, a poll is free."""
        return self._deadline if self._is_query else self._deadline - self._reserve

    def _next_request(self) -> tuple[State, Request]:
        if self.operation_id is not None:
            return State.POLLING, QueryStatus(self.operation_id)

        self._register_sent = True
        return State.REGISTERING, self._register

    def _on_response(self, response: Response, now: float) -> Action[Assignment]:
        match interpret_response(response, self._response_context(self.operation_id)):
            case Assignment() as assignment:
                return self._finish(State.ASSIGNED, assignment)
            case Pending() as pending:
                return self._wait_to_poll(pending, now)
            case NotFoundError() as error if self.state is State.POLLING and not self._forgotten:
                # The only case in which a known operation is given up: the service forgot it.
                self._forgotten = True
                self.operation_id = None
                return self._wait_to_retry(error, now)
            case ProvisioningError() as error:
                return self._retry(error, now)
            case unreachable:
                assert_never(unreachable)

    def _wait_to_poll(self, pending: Pending, now: float) -> Action[Assignment]:
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
    ) -> Action[Assignment]:
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

    def locate(self, error: ProvisioningError, now: float) -> None:
        """Set where an error happened, and mask what the device has sent."""
        super().locate(error, now)
        self._mask.apply_to(error)
