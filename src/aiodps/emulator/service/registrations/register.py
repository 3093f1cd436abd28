"""What comes of a registration that an enrollment lets in: at once, or when a webhook has chosen.

No webhook is called here: `take_calls` hands out what is to be asked, `answered` takes what came
of it. A device that registers again meanwhile is told the same operation, so that nobody waits
for more than one call. A device that may not move keeps its hub, without asking anybody, as long
as it is linked (Microsoft Learn, "IoT Hub Device reprovisioning concepts").
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
)
from aiodps.emulator.service.registrations.store import Registrations
from aiodps.models import RegistrationStatus

DISABLED = Outcome(status=RegistrationStatus.DISABLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedDevice:
    """A device that proved who it is."""

    registration_id: str
    """As it writes it."""
    enrollment: Enrollment
    """That lets it in, or would if it were not disabled."""
    certificate: x509.Certificate | None = None
    """That it showed; None if it signed instead."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """What it has to say to the webhook; None if nothing."""

    @property
    def proof(self) -> Proof:
        """How it proved who it is."""
        return Proof.SYMMETRIC_KEY if self.certificate is None else Proof.X509

    @property
    def group(self) -> str | None:
        """The id of its group; None if its enrollment is its own."""
        group = self.enrollment
        return group.enrollment_group_id if isinstance(group, EnrollmentGroup) else None


class Registrar:
    """Decides about registrations.

    Args:
        registrations: Of the instance.
        hubs: Of the instance.
        devices: At these hubs.
    """

    def __init__(
        self, *, registrations: Registrations, hubs: LinkedHubs, devices: HubDevices
    ) -> None:
        self._registrations = registrations
        self._hubs = hubs
        self._devices = devices
        self._calls = registrations.calls()
        self.on_call: Callable[[], None] = lambda: None
        """Called when there is something to take; must not block."""

    @property
    def has_calls(self) -> bool:
        """Whether there is something to take."""
        return bool(self._calls)

    def register(self, applicant: AuthenticatedDevice, *, now: float) -> RegistrationOperation:
        """Begin an operation, or find the one that waits for a webhook."""
        record = self._registrations.record(applicant.registration_id)
        pending = record.pending() if record else None
        if pending is not None:
            return pending

        decision = self._decide(applicant, now=now)
        call = decision if isinstance(decision, WebhookCall) else None
        operation = self._registrations.begin(
            applicant.registration_id,
            None if isinstance(decision, WebhookCall) else decision,
            proof=applicant.proof,
            enrollment_group_id=applicant.group,
            call=call,
            now=now,
        )
        if call is not None:
            self._calls.append(call)
            self.on_call()

        return operation

    def take_calls(self) -> Sequence[WebhookCall]:
        """Hand out the calls that nobody has taken yet."""
        calls, self._calls = self._calls, []
        return calls

    def webhook_answered(self, call: WebhookCall, reply: WebhookReply, *, now: float) -> None:
        """Take what came of a call; nothing happens if nobody waits for it any more."""
        record = self._registrations.record(call.registration_id)
        operation = record.pending() if record else None
        if record is None or operation is None or operation.call != call:
            return

        outcome = self._chosen(call, reply, record.place(now))
        self._registrations.decide(record, operation, outcome, now=now)

    def _decide(self, applicant: AuthenticatedDevice, *, now: float) -> Outcome | WebhookCall:
        enrollment = applicant.enrollment
        if not enrollment.enabled:
            return DISABLED

        before = self._registrations.place_of(applicant.registration_id, now=now)
        terms = self._terms(applicant)
        allocation = enrollment.allocation
        may_move = enrollment.reprovision_policy.update_hub_assignment
        if before is not None and not may_move and before.hub in self._hubs:
            return self._assign(before, replace(before, device_id=terms.device_id), terms)

        if allocation.policy is AllocationPolicy.CUSTOM:
            return self._ask(applicant, before, terms)

        hub = allocation.choose(applicant.registration_id, linked=self._hubs)
        if hub is None:
            return _failed(ErrorCode.HUB_NOT_FOUND, "IoTHub not found.")

        return self._assign(before, HubDevice(hub=hub, device_id=terms.device_id), terms)

    def _assign(
        self, before: HubDevice | None, after: HubDevice, terms: AssignmentTerms
    ) -> Outcome:
        substatus = self._devices.settle(before, after, terms)
        return Outcome(status=RegistrationStatus.ASSIGNED, place=after, substatus=substatus)

    def _terms(self, applicant: AuthenticatedDevice) -> AssignmentTerms:
        """Say what becomes of the device at its hub; there, other than here, casing counts."""
        enrollment = applicant.enrollment
        if isinstance(enrollment, IndividualEnrollment):
            device_id = enrollment.device_id or enrollment.registration_id
        else:
            record = self._registrations.record(applicant.registration_id)
            device_id = record.registration_id if record else applicant.registration_id

        return AssignmentTerms(
            device_id=device_id,
            migrate=enrollment.reprovision_policy.migrate_device_data,
            initial_twin=enrollment.initial_twin,
        )

    def _ask(
        self, applicant: AuthenticatedDevice, before: HubDevice | None, terms: AssignmentTerms
    ) -> Outcome | WebhookCall:
        webhook = applicant.enrollment.custom_allocation
        hubs = applicant.enrollment.allocation.allowed(self._hubs)
        if webhook is None or not hubs:
            missing = "the enrollment names no webhook" if hubs else "no hub is linked"
            return _failed(ErrorCode.CUSTOM_ALLOCATION, f"Custom allocation failed: {missing}")

        certificate = applicant.certificate
        info = None if certificate is None else certificate_info(certificate)
        request = allocation_request(
            show_enrollment(applicant.enrollment, api_version=webhook.api_version, keys=False),
            registration_id=applicant.registration_id,
            before=before,
            proof={applicant.proof.value: {"certificateInfo": info} if info else {}},
            payload=applicant.payload,
            hubs=hubs,
        )
        return WebhookCall(
            registration_id=applicant.registration_id,
            url=webhook.webhook_url,
            request=request,
            terms=terms,
        )

    def _chosen(self, call: WebhookCall, reply: WebhookReply, before: HubDevice | None) -> Outcome:
        try:
            choice = read_choice(call, reply)
        except Refusal as exc:
            return _failed(ErrorCode.CUSTOM_ALLOCATION, exc.message)

        terms = call.terms
        if choice.initial_twin is not None:
            terms = replace(terms, migrate=False, initial_twin=choice.initial_twin)

        outcome = self._assign(before, HubDevice(hub=choice.hub, device_id=terms.device_id), terms)
        return replace(outcome, payload=choice.payload)


def _failed(code: ErrorCode, message: str) -> Outcome:
    return Outcome(status=RegistrationStatus.FAILED, error_code=int(code), error_message=message)
