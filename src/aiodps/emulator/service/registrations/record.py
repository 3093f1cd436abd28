"""Registration records: the operations of a device and their outcomes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from aiodps.emulator.service.registrations.custom_allocation import WebhookCall
from aiodps.emulator.service.registrations.hub_devices import HubDevice
from aiodps.models import RegistrationStatus, Substatus

KEPT_OPERATIONS = 4
"""Operations kept per registration id: a device that keeps registering costs no memory."""


class Proof(enum.StrEnum):
    """How a device was authenticated (a member of its registration state)."""

    X509 = "x509"
    SYMMETRIC_KEY = "symmetricKey"
    TPM = "tpm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a registration."""

    status: RegistrationStatus
    """Assigned, failed or disabled."""
    hub_device: HubDevice | None = None
    """None unless assigned."""
    substatus: Substatus | None = None
    """How the assignment came about; None unless assigned."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """The webhook's payload for the device; None if there is none."""
    error_code: int | None = None
    """Why it failed; None unless failed."""
    error_message: str | None = None
    """The same in words."""
    device_id: str | None = None
    """The id that the device has from an earlier assignment; None unless failed."""

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {**_members(self), "hub_device": _members(self.hub_device)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it from a store."""
        hub_device, substatus = document["hub_device"], document["substatus"]
        read: dict[str, Any] = {
            "status": RegistrationStatus(document["status"]),
            "hub_device": hub_device and HubDevice(**hub_device),
            "substatus": substatus and Substatus(substatus),
        }
        return cls(**{**document, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOperation:
    """A registration operation, begun by a register request."""

    operation_id: str
    """55 characters: some clients keep 64 bytes for it and put it into paths unescaped."""
    proof: Proof
    enrollment_group_id: str | None
    """The group that authenticated the device; None for an individual enrollment."""
    created: float
    """When the device registered for the first time; seconds since 1970."""
    finished: float
    """Earliest end of the operation; seconds since 1970."""
    etag: str
    """Of the record as the operation leaves it."""
    outcome: Outcome | None
    """Known from the start, but sent only when it is finished; None while a webhook decides."""
    call: WebhookCall | None = field(default=None, repr=False)
    """The pending call of a webhook; None if there is none."""
    hub_key: str | None = field(default=None, repr=False)
    """The challenge with the device's key for the hub, in base64; None without a TPM."""
    issued: tuple[str, ...] = field(default=(), repr=False)
    """The certificate issued to the device and the CAs above it, base64 of DER; may be empty.
    Sent in responses to polls only."""

    def result(self, now: float) -> Outcome | None:
        """Return the outcome, or None while the operation is in progress."""
        return None if now < self.finished else self.outcome

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        outcome = None if self.outcome is None else self.outcome.to_json()
        call = None if self.call is None else asdict(self.call)
        return {**_members(self), "outcome": outcome, "call": call}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it from a store."""
        outcome, call = document["outcome"], document["call"]
        read: dict[str, Any] = {
            "proof": Proof(document["proof"]),
            "outcome": outcome and Outcome.from_json(outcome),
            "call": call and WebhookCall.from_json(call),
            "issued": tuple(document.get("issued", ())),
        }
        return cls(**{**document, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRecord:
    """The registration record of one device."""

    registration_id: str
    """As the device wrote it first; any casing of it is the same device."""
    created: float
    """When the device registered for the first time; seconds since 1970."""
    last_assignment: HubDevice | None = None
    """The last assignment by an operation that has been forgotten; None if there is none."""
    operations: tuple[RegistrationOperation, ...] = ()
    """Oldest first."""

    @property
    def etag(self) -> str:
        """Of the record as the latest operation leaves it; empty before the first."""
        return self.operations[-1].etag if self.operations else ""

    def hub_device(self, now: float) -> HubDevice | None:
        """Return the device's current assignment, or None if it was never assigned."""
        results = (each.result(now) for each in reversed(self.operations))
        return next(
            (each.hub_device for each in results if each and each.hub_device), self.last_assignment
        )

    def find(self, operation_id: str) -> RegistrationOperation | None:
        """Return an operation, or None if it is unknown or forgotten."""
        return next((each for each in self.operations if each.operation_id == operation_id), None)

    def pending(self) -> RegistrationOperation | None:
        """Return the operation that waits for a webhook, or None."""
        return next((each for each in self.operations if each.outcome is None), None)

    def with_operation(self, operation: RegistrationOperation, *, now: float) -> Self:
        """Add an operation, or put it in place of itself; forget the oldest of too many."""
        others = [each for each in self.operations if each.operation_id != operation.operation_id]
        if len(others) == len(self.operations):
            kept = (*others[1 - KEPT_OPERATIONS :], operation)
            return replace(self, last_assignment=self.hub_device(now), operations=kept)

        same = tuple(
            operation if each.operation_id == operation.operation_id else each
            for each in self.operations
        )
        return replace(self, operations=same)

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        operations = [each.to_json() for each in self.operations]
        return {
            **_members(self),
            "last_assignment": _members(self.last_assignment),
            "operations": operations,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it from a store."""
        last = document["last_assignment"]
        return cls(
            registration_id=document["registration_id"],
            created=document["created"],
            last_assignment=last and HubDevice(**last),
            operations=tuple(map(RegistrationOperation.from_json, document["operations"])),
        )


def _members(
    one: RegistrationRecord | RegistrationOperation | Outcome | HubDevice | None,
) -> Any:
    """Return the members by name; `asdict` would copy each of them, which takes ten times as long.

    A store writes them before anything can change.
    """
    return None if one is None else {name: getattr(one, name) for name in one.__dataclass_fields__}
