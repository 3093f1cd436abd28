"""`SampleBuilder`: an observer of one registration's steps that builds its `Sample`."""

from __future__ import annotations

from typing import Any

from aiodps.errors import ProvisioningError
from aiodps.fleet.journal.transport import DeviceState
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.models import Assignment, Phase
from aiodps.observe import PhaseTimes, Step, StepKind

_MAX_MESSAGE_LENGTH = 300


class SampleBuilder:
    """An `Observer` of one registration.

    `wait` is the time that the service asked for; `backoff` is what retries waited beyond it.
    """

    def __init__(self, state: DeviceState, *, shard: int) -> None:
        self._state = state
        self._shard = shard
        self._times = PhaseTimes()
        self._backoff = 0.0
        self._retries = 0

    def __call__(self, step: Step, /) -> None:
        """Count one step."""
        self._times(step)
        if step.kind is StepKind.RETRYING:
            self._retries += 1
            self._backoff += max(0.0, (step.wait or 0.0) - (self._state.retry_after or 0.0))

    def build(
        self,
        result: Assignment | Exception | None,
        *,
        intended: float,
        started: float,
        finished: float,
    ) -> Sample:
        """Return the sample.

        Args:
            result: What the registration ended with; None if it was interrupted.
            intended: When it should have started, in seconds of the run.
            started: When it started.
            finished: When it ended.
        """
        entry = self._state.entry
        return Sample(
            registration_id=entry.registration_id,
            transport=entry.transport,
            shard=self._shard,
            intended=intended,
            started=started,
            finished=finished,
            phases=self._phases(),
            backoff=self._backoff,
            register_requests=entry.sent,
            polls=self._state.polls,
            throttled=self._state.throttled,
            retries=self._retries,
            **_result_fields(result),
        )

    def _phases(self) -> dict[str, float]:
        """Return seconds by phase, without backoff in `wait` and without the journal's writes."""
        seconds = dict(self._times.seconds)
        journal = self._state.journal_seconds
        for phase, excess in ((Phase.WAIT, self._backoff), (Phase.REGISTER, journal)):
            if phase in seconds:
                seconds[phase] = max(0.0, seconds[phase] - excess)

        phases = {phase.value: spent for phase, spent in seconds.items()}
        return phases | ({"journal": journal} if journal else {})


def _result_fields(result: Assignment | Exception | None) -> dict[str, Any]:
    match result:
        case None:
            return {"outcome": Outcome.INTERRUPTED}
        case Assignment():
            return {
                "outcome": Outcome.ASSIGNED,
                "assigned_hub": result.assigned_hub,
                "device_id": result.device_id,
            }
        case _:
            name = type(result).__name__
            message = result.message if isinstance(result, ProvisioningError) else name
            return {
                "outcome": Outcome.FAILED,
                "error_class": name,
                "error_code": getattr(result, "error_code", None),
                "tracking_id": getattr(result, "tracking_id", None),
                "error_message": message[:_MAX_MESSAGE_LENGTH],
            }
