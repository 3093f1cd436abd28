"""`SampleBuilder`: an observer of one registration's steps that builds its `Sample`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from aiodps.errors import ProvisioningError
from aiodps.fleet.journal.transport import DeviceState
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.models import Assignment, Phase
from aiodps.observe import PhaseTimes, Step, StepKind

_MAX_MESSAGE_LENGTH = 300
_END_OF_REQUEST: Final = {
    *(StepKind.ACCEPTED, StepKind.ASSIGNING, StepKind.RETRYING),
    *(StepKind.ASSIGNED, StepKind.FAILED),
}
"""Steps whose phase is that of the request that has ended, if there was one."""


class SampleBuilder:
    """An `Observer` of one registration that attributes each second of waiting.

    `wait` is what the service asked for. What was waited beyond it is ours: `poll_floor` before a
    poll, `backoff` before a retry. The journal's writes happen during requests, and are taken out
    of them.
    """

    wire: Final = False
    """It has no use for what goes over the wire, which is not written out for it."""

    def __init__(self, state: DeviceState, *, shard: int, resumed: bool = False) -> None:
        self._state = state
        self._shard = shard
        self._resumed = resumed
        self._times = PhaseTimes()
        self._journal: defaultdict[Phase, float] = defaultdict(float)
        self._journal_seen = 0.0
        self._poll_floor = 0.0
        self._backoff = 0.0
        self._retries = 0

    def __call__(self, step: Step, /) -> None:
        """Count one step."""
        self._times(step)
        match step.kind:
            case StepKind.WAITING:
                self._poll_floor += _beyond_requested(step)
            case StepKind.RETRYING:
                self._retries += 1
                self._backoff += _beyond_requested(step)

        written = self._state.journal_seconds
        if written != self._journal_seen and step.kind in _END_OF_REQUEST:
            self._journal[step.phase] += written - self._journal_seen
            self._journal_seen = written

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
            resumed=self._resumed,
            phases=self._phases(),
            backoff=self._backoff,
            register_requests=entry.sent,
            polls=self._state.polls,
            throttled=self._state.throttled,
            retries=self._retries,
            **_result_fields(result),
        )

    def _phases(self) -> dict[str, float]:
        """Return seconds by phase: each second is in one of them, or in the backoff."""
        taken_out = {**self._journal, Phase.WAIT: self._poll_floor + self._backoff}
        phases: dict[str, float] = {
            phase: max(0.0, spent - taken_out.get(phase, 0.0))
            for phase, spent in self._times.seconds.items()
        }
        own = {"journal": self._state.journal_seconds, "poll_floor": self._poll_floor}
        return phases | {name: spent for name, spent in own.items() if spent}


def _beyond_requested(step: Step) -> float:
    return max(0.0, (step.wait or 0.0) - (step.requested or 0.0))


def _result_fields(result: Assignment | Exception | None) -> dict[str, Any]:
    match result:
        case None:
            return {"outcome": Outcome.INTERRUPTED}
        case Assignment():
            return {
                "outcome": Outcome.ASSIGNED,
                "assigned_hub": result.assigned_hub,
                "device_id": result.device_id,
                "credential": result.credential,
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
