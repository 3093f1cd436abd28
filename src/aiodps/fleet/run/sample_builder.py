"""Measures one registration: an observer of its steps that becomes a `Sample`."""

from __future__ import annotations

from dataclasses import replace

from aiodps.errors import ProvisioningError
from aiodps.fleet.journal.transport import DeviceState
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.models import Assignment, Phase
from aiodps.observe import PhaseTimes, Step, StepKind

_LONGEST_MESSAGE = 300


class SampleBuilder:
    """An `Observer` for one registration.

    A wait that the service asked for is `wait`; a wait after trouble is `backoff`, or lost time,
    as far as it is longer than the service asked for.
    """

    def __init__(self, record: DeviceState, *, shard: int) -> None:
        self._record = record
        self._shard = shard
        self._times = PhaseTimes()
        self._backoff = 0.0
        self._retries = 0

    def __call__(self, step: Step, /) -> None:
        """Take note of one step."""
        self._times(step)
        if step.kind is StepKind.RETRYING:
            self._retries += 1
            self._backoff += max(0.0, (step.wait or 0.0) - (self._record.asked or 0.0))

    def assigned(
        self, assignment: Assignment, *, intended: float, started: float, finished: float
    ) -> Sample:
        """Say what an assigned device took."""
        sample = self._sample(Outcome.ASSIGNED, intended, started, finished)
        return replace(
            sample, assigned_hub=assignment.assigned_hub, device_id=assignment.device_id
        )

    def ended(
        self, error: Exception | None, *, intended: float, started: float, finished: float
    ) -> Sample:
        """Say what a device took that was not assigned; without an error, it was interrupted."""
        if error is None:
            return self._sample(Outcome.INTERRUPTED, intended, started, finished)

        message = error.message if isinstance(error, ProvisioningError) else type(error).__name__
        return replace(
            self._sample(Outcome.FAILED, intended, started, finished),
            error_class=type(error).__name__,
            error_code=getattr(error, "error_code", None),
            tracking_id=getattr(error, "tracking_id", None),
            error_message=message[:_LONGEST_MESSAGE],
        )

    def _sample(
        self, outcome: Outcome, intended: float, started: float, finished: float
    ) -> Sample:
        record = self._record
        return Sample(
            registration_id=record.entry.registration_id,
            transport=record.entry.transport,
            shard=self._shard,
            intended=intended,
            started=started,
            finished=finished,
            outcome=outcome,
            phases=self._phases(),
            backoff=self._backoff,
            register_requests=record.entry.sent,
            polls=record.polls,
            throttled=record.throttled,
            retries=self._retries,
        )

    def _phases(self) -> dict[str, float]:
        """Take backoff out of the waits, and our own writing out of the requests."""
        seconds = dict(self._times.seconds)
        if Phase.WAIT in seconds:
            seconds[Phase.WAIT] = max(0.0, seconds[Phase.WAIT] - self._backoff)

        if Phase.REGISTER in seconds:
            seconds[Phase.REGISTER] = max(0.0, seconds[Phase.REGISTER] - self._record.writing)

        phases = {phase.value: spent for phase, spent in seconds.items()}
        return phases | ({"journal": self._record.writing} if self._record.writing else {})
