"""What the service writes down about a device that registered: the record and its operations."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aiodps.emulator.service.registrations.custom_allocation import WebhookCall
from aiodps.emulator.service.registrations.hub_devices import HubDevice
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
    place: HubDevice | None = None
    """None unless assigned."""
    substatus: Substatus | None = None
    """How the assignment came about; None unless assigned."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """What a webhook has to say to the device; None if nothing."""
    error_code: int | None = None
    """Why it failed; None unless failed."""
    error_message: str | None = None
    """The same in words."""

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {
            "status": self.status.value,
            "place": self.place and self.place.to_json(),
            "substatus": self.substatus and self.substatus.value,
            "payload": self.payload,
            "error_code": self.error_code,
            "error_message": self.error_message,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        place, substatus = document["place"], document["substatus"]
        read: dict[str, Any] = {
            "status": RegistrationStatus(document["status"]),
            "place": place and HubDevice.from_json(place),
            "substatus": substatus and Substatus(substatus),
        }
        return cls(**{**document, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOperation:
    """One register request at work."""

    operation_id: str
    """55 characters: some clients keep 64 bytes for it and put it into paths unescaped."""
    proof: Proof
    enrollment_group_id: str | None
    """The group that let the device in; None for an individual enrollment."""
    created: float
    """When the device registered for the first time; seconds since 1970."""
    finished: float
    """When the operation ends, at the earliest; seconds since 1970."""
    etag: str
    """Of the record as the operation leaves it."""
    outcome: Outcome | None
    """Decided already, told only when it is finished; None while a webhook thinks about it."""
    call: WebhookCall | None = field(default=None, repr=False)
    """What the webhook is asked; None unless it thinks about it."""

    def result(self, now: float) -> Outcome | None:
        """Return what came of it, or None if it is still at work."""
        return None if now < self.finished else self.outcome

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {
            "operation_id": self.operation_id,
            "proof": self.proof.value,
            "enrollment_group_id": self.enrollment_group_id,
            "created": self.created,
            "finished": self.finished,
            "etag": self.etag,
            "outcome": self.outcome and self.outcome.to_json(),
            "call": self.call and self.call.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        outcome, call = document["outcome"], document["call"]
        read: dict[str, Any] = {
            "proof": Proof(document["proof"]),
            "outcome": outcome and Outcome.from_json(outcome),
            "call": call and WebhookCall.from_json(call),
        }
        return cls(**{**document, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRecord:
    """All about one device."""

    registration_id: str
    """As the device wrote it first; any casing of it is the same device."""
    created: float
    """When the device registered for the first time; seconds since 1970."""
    last_assignment: HubDevice | None = None
    """Where operations that are forgotten by now had brought it; None if nowhere."""
    operations: tuple[RegistrationOperation, ...] = ()
    """Oldest first."""

    @property
    def etag(self) -> str:
        """Of the record as the latest operation leaves it; empty before the first."""
        return self.operations[-1].etag if self.operations else ""

    def place(self, now: float) -> HubDevice | None:
        """Return where the device is at home, or None if it was never assigned."""
        results = (each.result(now) for each in reversed(self.operations))
        return next((each.place for each in results if each and each.place), self.last_assignment)

    def find(self, operation_id: str) -> RegistrationOperation | None:
        """Return an operation, or None if it is unknown or forgotten."""
        return next((each for each in self.operations if each.operation_id == operation_id), None)

    def pending(self) -> RegistrationOperation | None:
        """Return the operation that waits for a webhook, or None."""
        return next((each for each in self.operations if each.outcome is None), None)

    def with_operation(self, operation: RegistrationOperation, *, now: float) -> Self:
        """Add an operation, or put it in the place of itself; forget the oldest of too many."""
        others = [each for each in self.operations if each.operation_id != operation.operation_id]
        if len(others) == len(self.operations):
            kept = (*others[1 - KEPT_OPERATIONS :], operation)
            return replace(self, last_assignment=self.place(now), operations=kept)

        same = tuple(
            operation if each.operation_id == operation.operation_id else each
            for each in self.operations
        )
        return replace(self, operations=same)

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {
            "registration_id": self.registration_id,
            "created": self.created,
            "settled": self.last_assignment and self.last_assignment.to_json(),
            "operations": [each.to_json() for each in self.operations],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        settled = document["settled"]
        return cls(
            registration_id=document["registration_id"],
            created=document["created"],
            last_assignment=settled and HubDevice.from_json(settled),
            operations=tuple(map(RegistrationOperation.from_json, document["operations"])),
        )
