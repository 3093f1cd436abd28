"""The state machine of a look-up: one request, which changes nothing and is free of charge."""

from __future__ import annotations

from typing import final

from aiodps.errors import NotFoundError, ProvisioningError, ProvisioningTimeoutError
from aiodps.models import Phase, RegistrationRecord
from aiodps.protocol.messages import LookUpStatus, Request, Response
from aiodps.registration.actions import Action
from aiodps.registration.responses import interpret_record
from aiodps.registration.retrying import RequestParams, RetryingMachine
from aiodps.registration.states import State

_UNKNOWN = (
    "provision the device if it has not registered yet; otherwise check its id scope and "
    "registration id"
)


@final
class StatusLookUp(RetryingMachine[RegistrationRecord]):
    """The look-up of one device's registration record, from idle to found or failed."""

    def __init__(self, params: RequestParams) -> None:
        super().__init__()
        self.params: RequestParams = params

    def __repr__(self) -> str:
        """Return the state, for debugging."""
        params = self.params
        return f"<StatusLookUp {params.registration_id!r} {self.state.value} {self.attempts=}>"

    @property
    def _is_query(self) -> bool:
        return True

    def _next_request(self) -> tuple[State, Request]:
        return State.LOOKING_UP, LookUpStatus()

    def _on_response(self, response: Response, now: float) -> Action[RegistrationRecord]:
        match interpret_record(response, self._response_context()):
            case RegistrationRecord() as record:
                return self._finish(State.FOUND, record)
            case error:
                if isinstance(error, NotFoundError):
                    error.hint = _UNKNOWN

                return self._retry(error, now)

    def _out_of_time(
        self,
        now: float,
        last_error: ProvisioningError | None,
        *,
        phase: Phase | None = None,
    ) -> Action[RegistrationRecord]:
        timeout = ProvisioningTimeoutError(
            f"no registration record was returned within {self.params.timeout:g} s",
            last_error=last_error,
        )
        timeout.__cause__ = last_error
        return self._fail(timeout.locate(phase=phase), now)
