"""Registration records and their operations: what was decided for a device, and from when on.

An operation is decided when it begins and finished when its time has come, whether anybody asks
or not: a device that disconnects right after its register request is assigned all the same.
"""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiodps.emulator.service.etags import check_etag
from aiodps.emulator.service.identifiers import etag, operation_id
from aiodps.emulator.service.refusals import ErrorCode, refusal
from aiodps.models import RegistrationStatus, Substatus

KEPT_OPERATIONS = 4
"""Operations kept per registration id: a device that registers again for ever costs no memory."""


class Proof(enum.StrEnum):
    """How a device proved who it is (a member of its registration state)."""

    X509 = "x509"
    SYMMETRIC_KEY = "symmetricKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a registration comes to."""

    status: RegistrationStatus
    """Assigned, failed or disabled."""
    proof: Proof = Proof.X509
    device_id: str | None = None
    """The id at the hub; None unless assigned."""
    assigned_hub: str | None = None
    """Host name of the hub; None unless assigned."""
    enrollment_group_id: str | None = None
    """The group that let the device in; None for an individual enrollment."""
    error_code: int | None = None
    """Why it failed; None unless failed."""
    error_message: str | None = None
    """The same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOperation:
    """One register request at work."""

    operation_id: str
    """55 characters: some clients keep 64 bytes for it and put it into paths unescaped."""
    outcome: Outcome
    """Decided already, told only when it is finished."""
    substatus: Substatus
    """How the assignment came about, if it is one."""
    created: float
    """When the device registered for the first time; seconds since 1970."""
    finished: float
    """When the operation ends; seconds since 1970."""
    etag: str
    """Of the record as the operation leaves it."""


@dataclass(slots=True)
class _Record:
    created: float
    assigned: RegistrationOperation | None = None
    operations: deque[RegistrationOperation] = field(
        default_factory=lambda: deque(maxlen=KEPT_OPERATIONS)
    )


class Registrations:
    """The registration records of an instance, by registration id in any casing.

    Args:
        assign_after: Seconds that an operation takes.
        chance: Where ids and etags come from.
    """

    def __init__(self, *, assign_after: float, chance: random.Random) -> None:
        self.assign_after = assign_after
        self._chance = chance
        self._records: dict[str, _Record] = {}

    def begin(
        self, registration_id: str, outcome: Outcome, *, now: float
    ) -> RegistrationOperation:
        """Write down that a device registers and what will come of it."""
        record = self._records.setdefault(registration_id.lower(), _Record(created=now))
        finished = now + self.assign_after
        operation = RegistrationOperation(
            operation_id=operation_id(registration_id, chance=self._chance),
            outcome=outcome,
            substatus=_substatus(record, now=now),
            created=record.created,
            finished=finished,
            etag=etag(chance=self._chance, now=finished),
        )
        record.operations.append(operation)
        if outcome.status is RegistrationStatus.ASSIGNED and record.assigned is None:
            record.assigned = operation

        return operation

    def group_of(self, registration_id: str) -> str | None:
        """Return the group that last let the device in, or None."""
        latest = self.latest(registration_id)
        return None if latest is None else latest.outcome.enrollment_group_id

    def find(self, registration_id: str, operation_id: str) -> RegistrationOperation | None:
        """Return an operation of this device, or None if it is unknown or forgotten."""
        record = self._records.get(registration_id.lower())
        operations = record.operations if record else ()
        return next((each for each in operations if each.operation_id == operation_id), None)

    def latest(self, registration_id: str) -> RegistrationOperation | None:
        """Return the device's newest operation, or None if it never registered."""
        record = self._records.get(registration_id.lower())
        return record.operations[-1] if record else None

    def ids(self) -> Iterator[str]:
        """Name all devices that registered, in lower case."""
        return iter(self._records)

    def of_group(self, enrollment_group_id: str) -> Iterator[str]:
        """Go through the registration ids, in lower case, that a group let in last."""
        group = enrollment_group_id.lower()
        return (name for name in self._records if (self.group_of(name) or "").lower() == group)

    def delete(self, registration_id: str, *, if_match: str | None = None) -> None:
        """Forget a device.

        Raises:
            NotFoundError: If it never registered.
            ConflictError: If its record has another etag.
        """
        latest = self.latest(registration_id)
        if latest is None:
            raise refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Registration not found.")

        check_etag(latest.etag, if_match)
        del self._records[registration_id.lower()]


def _substatus(record: _Record, *, now: float) -> Substatus:
    if record.assigned is None or record.assigned.finished > now:
        return Substatus.INITIAL_ASSIGNMENT

    return Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT
