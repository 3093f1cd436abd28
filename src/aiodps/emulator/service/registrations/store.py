"""The registration records of an instance.

The outcome of an operation is known when it begins, and it finishes by itself: a device that
disconnects right after its register request is assigned all the same. Only a webhook decides
later.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import check_etag, etag, operation_id
from aiodps.emulator.service.registrations.custom_allocation import WebhookCall
from aiodps.emulator.service.registrations.hub_devices import HubDevice
from aiodps.emulator.service.registrations.record import (
    Outcome,
    Proof,
    RegistrationOperation,
    RegistrationRecord,
)
from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading


class Registrations:
    """The registration records of an instance, by registration id in any casing.

    Args:
        assign_after: Seconds that an operation takes.
        rng: Source of ids and etags.
        store: Keeps them over a restart; None for memory alone.
    """

    def __init__(
        self, *, assign_after: float, rng: random.Random, store: Store | None = None
    ) -> None:
        self.assign_after = assign_after
        self._rng = rng
        self._store = store or MemoryStore()
        with reading(Kind.REGISTRATION):
            kept = self._store.load(Kind.REGISTRATION)
            self._records = {key: RegistrationRecord.from_json(each) for key, each in kept}

    def records(self) -> Iterator[RegistrationRecord]:
        """Iterate over all records, in the order of the first registration."""
        return iter(self._records.values())

    def record(self, registration_id: str) -> RegistrationRecord | None:
        """Return the record of a device, or None if it never registered."""
        return self._records.get(registration_id.lower())

    def begin(
        self,
        registration_id: str,
        outcome: Outcome | None,
        *,
        proof: Proof = Proof.X509,
        enrollment_group_id: str | None = None,
        call: WebhookCall | None = None,
        hub_key: str | None = None,
        issued: tuple[str, ...] = (),
        now: float,
    ) -> RegistrationOperation:
        """Begin an operation.

        Args:
            registration_id: Of the device.
            outcome: Sent once it is finished; None if a webhook decides.
            proof: How the device was authenticated.
            enrollment_group_id: Its group; None for an individual enrollment.
            call: The pending call of a webhook; None if there is none.
            hub_key: The challenge with a TPM's key for the hub; None without a TPM.
            issued: The certificate issued to the device and the CAs above it; may be empty.
            now: Seconds since 1970.
        """
        record = self.record(registration_id) or RegistrationRecord(
            registration_id=registration_id, created=now
        )
        finished = now + self.assign_after
        operation = RegistrationOperation(
            operation_id=operation_id(registration_id, rng=self._rng),
            proof=proof,
            enrollment_group_id=enrollment_group_id,
            created=record.created,
            finished=finished,
            etag=etag(rng=self._rng, now=finished),
            outcome=outcome,
            call=call,
            hub_key=hub_key,
            issued=issued,
        )
        self._keep(record.with_operation(operation, now=now))
        return operation

    def decide(
        self, record: RegistrationRecord, operation: RegistrationOperation, outcome: Outcome, *,
        now: float,
    ) -> None:  # fmt: skip
        """Record the outcome of an operation that waited for a webhook."""
        finished = max(now, operation.finished)
        decided = replace(operation, outcome=outcome, call=None, finished=finished)
        self._keep(record.with_operation(decided, now=now))

    def reissue(
        self, record: RegistrationRecord, operation: RegistrationOperation,
        issued: tuple[str, ...], *, now: float,
    ) -> RegistrationOperation:  # fmt: skip
        """Record the certificate of a device that registers again before a webhook decides."""
        newer = replace(operation, issued=issued)
        self._keep(record.with_operation(newer, now=now))
        return newer

    def calls(self) -> list[WebhookCall]:
        """Return the pending webhook calls, oldest first, as after a restart."""
        pending = (record.pending() for record in self._records.values())
        waiting = sorted((each for each in pending if each), key=lambda each: each.finished)
        return [each.call for each in waiting if each.call]

    def hub_device_of(self, registration_id: str, *, now: float) -> HubDevice | None:
        """Return a device's current assignment, or None if it was never assigned."""
        record = self.record(registration_id)
        return None if record is None else record.hub_device(now)

    def group_of(self, registration_id: str) -> str | None:
        """Return the group of the device's latest operation, or None."""
        latest = self.latest(registration_id)
        return None if latest is None else latest.enrollment_group_id

    def find(self, registration_id: str, operation_id: str) -> RegistrationOperation | None:
        """Return an operation of this device, or None if it is unknown or forgotten."""
        record = self.record(registration_id)
        return None if record is None else record.find(operation_id)

    def latest(self, registration_id: str) -> RegistrationOperation | None:
        """Return the device's newest operation, or None if it never registered."""
        record = self.record(registration_id)
        return None if record is None else record.operations[-1]

    def ids(self) -> Iterator[str]:
        """Iterate over the ids of all devices that have registered, in lower case."""
        return iter(self._records)

    def of_group(self, enrollment_group_id: str) -> Iterator[str]:
        """Iterate over the ids, in lower case, of devices whose latest operation is of a group."""
        group = enrollment_group_id.lower()
        return (name for name in self._records if (self.group_of(name) or "").lower() == group)

    def delete(self, registration_id: str, *, if_match: str | None = None) -> None:
        """Delete the record of a device; its hub device stays.

        Raises:
            Refusal: 404, if it never registered.
            Refusal: 412, if its record has another etag.
        """
        record = self.record(registration_id)
        if record is None:
            raise Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Registration not found.")

        check_etag(record.etag, if_match)
        del self._records[registration_id.lower()]
        self._store.delete(Kind.REGISTRATION, registration_id.lower())

    def _keep(self, record: RegistrationRecord) -> None:
        key = record.registration_id.lower()
        self._records[key] = record
        self._store.put(Kind.REGISTRATION, key, record.to_json)
