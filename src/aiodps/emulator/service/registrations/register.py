"""Registration of authenticated devices, decided at once or by a webhook.

No webhook is called here: `take_calls` returns the pending calls, `webhook_answered` takes their
results. A device that registers again meanwhile gets the same operation. A device that may not
move keeps its hub, without any call, as long as the hub is linked (Microsoft Learn, "IoT Hub
Device reprovisioning concepts").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.x509 import certificate_info
from aiodps.emulator.service.enrollments.allocation import AllocationPolicy, LinkedHubs
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import show_enrollment
from aiodps.emulator.service.enrollments.mechanisms import (
    SymmetricKeys,
    TpmKeys,
    mechanism_to_json,
)
from aiodps.emulator.service.registrations.custom_allocation import (
    WebhookCall,
    WebhookReply,
    allocation_request,
    read_choice,
)
from aiodps.emulator.service.registrations.hub_devices import (
    AssignmentTerms,
    HubDevice,
    HubDevices,
)
from aiodps.emulator.service.registrations.record import (
    Outcome,
    Proof,
    RegistrationOperation,
    RegistrationRecord,
)
from aiodps.emulator.service.registrations.store import Registrations
from aiodps.models import RegistrationStatus

DISABLED = Outcome(status=RegistrationStatus.DISABLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedDevice:
    """An authenticated device."""

    registration_id: str
    """As the device writes it."""
    enrollment: Enrollment
    """The enrollment that authenticated it; may be disabled."""
    certificate: x509.Certificate | None = None
    """The one it presented; None if it has a symmetric key or a TPM."""
    hub_key: str | None = field(default=None, repr=False)
    """The challenge with its key for the hub, in base64; None without a TPM."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """For the webhook; None if it has none."""
    issued: tuple[str, ...] = field(default=(), repr=False)
    """The certificate issued to it and the CAs above it, base64 of DER; may be empty."""

    @property
    def proof(self) -> Proof:
        """How it was authenticated."""
        match self.enrollment.attestation:
            case SymmetricKeys():
                return Proof.SYMMETRIC_KEY
            case TpmKeys():
                return Proof.TPM
            case _:
                return Proof.X509

    @property
    def public_proof(self) -> Mapping[str, Any]:
        """What is public of it, for a webhook."""
        match self.enrollment.attestation:
            case TpmKeys() as keys:
                return mechanism_to_json(keys)["tpm"]  # type: ignore[no-any-return]
            case _ if self.certificate is not None:
                return {"certificateInfo": certificate_info(self.certificate)}
            case _:
                return {}

    @property
    def group(self) -> str | None:
        """The id of its group; None for an individual enrollment."""
        group = self.enrollment
        return group.enrollment_group_id if isinstance(group, EnrollmentGroup) else None


class Registrar:
    """Registers devices: chooses a hub, assigns it, and records the operation."""

    def __init__(
        self, *, registrations: Registrations, hubs: LinkedHubs, devices: HubDevices
    ) -> None:
        self._registrations = registrations
        self._hubs = hubs
        self._devices = devices
        self._calls = registrations.calls()
        self.on_call: Callable[[], None] = lambda: None
        """Called when `take_calls` has something to return; must not block."""

    @property
    def has_calls(self) -> bool:
        """Whether calls are pending."""
        return bool(self._calls)

    def register(self, device: AuthenticatedDevice, *, now: float) -> RegistrationOperation:
        """Begin an operation, or return the one that waits for a webhook."""
        record = self._registrations.record(device.registration_id)
        pending = record.pending() if record else None
        if record is not None and pending is not None:
            return self._registrations.reissue(record, pending, device.issued, now=now)

        decision = self._decide(device, record, now=now)
        call = decision if isinstance(decision, WebhookCall) else None
        operation = self._registrations.begin(
            device.registration_id,
            None if isinstance(decision, WebhookCall) else decision,
            proof=device.proof,
            enrollment_group_id=device.group,
            call=call,
            hub_key=device.hub_key,
            issued=device.issued,
            now=now,
        )
        if call is not None:
            self._calls.append(call)
            self.on_call()

        return operation

    def take_calls(self) -> Sequence[WebhookCall]:
        """Return the calls that have not been taken yet."""
        calls, self._calls = self._calls, []
        return calls

    def webhook_answered(self, call: WebhookCall, reply: WebhookReply, *, now: float) -> None:
        """Take the result of a call; ignored if the operation waits for it no more."""
        record = self._registrations.record(call.registration_id)
        operation = record.pending() if record else None
        if record is None or operation is None or operation.call != call:
            return

        outcome = self._chosen(call, reply, record.hub_device(now))
        self._registrations.decide(record, operation, outcome, now=now)

    def _decide(
        self, device: AuthenticatedDevice, record: RegistrationRecord | None, *, now: float
    ) -> Outcome | WebhookCall:
        enrollment = device.enrollment
        if not enrollment.enabled:
            return DISABLED

        before = None if record is None else record.hub_device(now)
        terms = _terms(device, record)
        allocation = enrollment.allocation
        may_move = enrollment.reprovision_policy.update_hub_assignment
        if before is not None and not may_move and before.hub in self._hubs:
            return self._assign(before, replace(before, device_id=terms.device_id), terms)

        if allocation.policy is AllocationPolicy.CUSTOM:
            return self._ask(device, before, terms)

        hub = allocation.choose(device.registration_id, linked=self._hubs)
        if hub is None:
            return _failed(ErrorCode.HUB_NOT_FOUND, "IoTHub not found.", before)

        return self._assign(before, HubDevice(hub=hub, device_id=terms.device_id), terms)

    def _assign(
        self, before: HubDevice | None, after: HubDevice, terms: AssignmentTerms
    ) -> Outcome:
        substatus = self._devices.assign(before, after, terms)
        return Outcome(status=RegistrationStatus.ASSIGNED, hub_device=after, substatus=substatus)

    def _ask(
        self, device: AuthenticatedDevice, before: HubDevice | None, terms: AssignmentTerms
    ) -> Outcome | WebhookCall:
        webhook = device.enrollment.custom_allocation
        hubs = device.enrollment.allocation.allowed(self._hubs)
        if webhook is None or not hubs:
            missing = "the enrollment names no webhook" if hubs else "no hub is linked"
            return _failed(
                ErrorCode.CUSTOM_ALLOCATION, f"Custom allocation failed: {missing}", before
            )

        request = allocation_request(
            show_enrollment(device.enrollment, api_version=webhook.api_version, keys=False),
            registration_id=device.registration_id,
            before=before,
            proof={device.proof.value: device.public_proof},
            payload=device.payload,
            hubs=hubs,
        )
        return WebhookCall(
            registration_id=device.registration_id,
            url=webhook.webhook_url,
            request=request,
            terms=terms,
        )

    def _chosen(self, call: WebhookCall, reply: WebhookReply, before: HubDevice | None) -> Outcome:
        try:
            choice = read_choice(call, reply)
        except Refusal as exc:
            return _failed(ErrorCode.CUSTOM_ALLOCATION, exc.message, before)

        terms = call.terms
        if choice.initial_twin is not None:
            terms = replace(terms, initial_twin=choice.initial_twin)

        outcome = self._assign(before, HubDevice(hub=choice.hub, device_id=terms.device_id), terms)
        return replace(outcome, payload=choice.payload)


def _terms(device: AuthenticatedDevice, record: RegistrationRecord | None) -> AssignmentTerms:
    """Return the terms of the assignment; at the hub, casing of the device id matters."""
    enrollment = device.enrollment
    if isinstance(enrollment, IndividualEnrollment):
        device_id = enrollment.device_id or enrollment.registration_id
    else:
        device_id = record.registration_id if record else device.registration_id

    return AssignmentTerms(
        device_id=device_id,
        migrate=enrollment.reprovision_policy.migrate_device_data,
        initial_twin=enrollment.initial_twin,
    )


def _failed(code: ErrorCode, message: str, before: HubDevice | None) -> Outcome:
    return Outcome(
        status=RegistrationStatus.FAILED,
        error_code=int(code),
        error_message=message,
        device_id=None if before is None else before.device_id,
    )
