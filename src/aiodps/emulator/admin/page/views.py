"""View models: the values that the templates of the page show."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import assert_never

from aiodps.emulator.admin.page.recent_requests import RecentRequests, Step
from aiodps.emulator.protocol.x509 import certificate_info, read_certificate, subject, thumbprint
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.authentication.ca_certificates import CaCertificate
from aiodps.emulator.service.enrollments.enrollment import Enrollment
from aiodps.emulator.service.enrollments.json import show_enrollment
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    Mechanism,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
)
from aiodps.emulator.service.registrations.record import Outcome, RegistrationOperation
from aiodps.emulator.service.service import Service
from aiodps.models import RegistrationStatus

_TONES = {
    RegistrationStatus.ASSIGNED: "good",
    RegistrationStatus.ASSIGNING: "busy",
    RegistrationStatus.FAILED: "bad",
    RegistrationStatus.DISABLED: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentRow:
    """A row of a list of enrollments."""

    id: str
    attestation: str
    attested_by: str
    """Its certificate or CA; "" if there is none."""
    hub: str
    enabled: bool
    device_id: str = ""
    """"" if it is the registration id, and for groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCard:
    """A CA certificate of the instance."""

    name: str
    verified: bool
    subject: str
    expires: str
    sha1: str
    """SHA-1 thumbprint, as Azure's portal shows it."""
    thumbprint: str
    """SHA-256 thumbprint."""
    code: str | None = field(repr=False)
    """The verification code; None if none was generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One request of a device."""

    row_id: str
    time: str
    transport: str
    what: str
    status: str
    """Of HTTP, or "no response"."""
    bad: bool
    """Whether it was refused, had no response, or ended without an assignment."""
    who: str
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRow:
    """A row of the list of registrations."""

    row_id: str
    """Id of the table row, derived from the registration id."""
    id: str
    status: str = "requested"
    tone: str = ""
    """Style of the status: "good", "busy", "bad" or ""."""
    note: str = ""
    """What was wrong with the latest request, if the status does not say it."""
    hub: str = ""
    device_id: str = ""
    substatus: str = ""
    certificate: str = ""
    """The end of the certificate that it was issued; "" if it was issued none."""
    steps: tuple[StepLine, ...] = ()
    """The newest first."""
    deletable: bool = False
    """Whether there is a registration record."""


def enrollment_row(enrollment: Enrollment) -> EnrollmentRow:
    """Make the row of an enrollment."""
    kind, attested_by = _attestation(enrollment.attestation)
    allocation = enrollment.allocation
    return EnrollmentRow(
        id=enrollment.id,
        attestation=kind,
        attested_by=attested_by,
        hub=", ".join(allocation.named) or (allocation.policy or "hashed"),
        enabled=enrollment.enabled,
        device_id=getattr(enrollment, "device_id", None) or "",
    )


def enrollment_facts(enrollment: Enrollment) -> dict[str, str]:
    """Return everything about an enrollment but its keys, by label."""
    row = enrollment_row(enrollment)
    secondary = getattr(enrollment.attestation, "secondary", None)
    shown = not isinstance(enrollment.attestation, SymmetricKeys)
    return {
        "Attestation": row.attestation,
        "Primary": row.attested_by,
        "Secondary": _certificate(secondary) if shown and secondary is not None else "",
        "Device id": row.device_id,
        "Hub": row.hub,
        "Certificates": _policy(enrollment),
        "Created": _date(enrollment.created) if enrollment.created else "",
        "Updated": _date(enrollment.updated) if enrollment.updated else "",
    }


def enrollment_keys(enrollment: Enrollment) -> dict[str, str]:
    """Return the symmetric keys of an enrollment, by label."""
    match enrollment.attestation:
        case SymmetricKeys(primary=primary, secondary=secondary):
            return {"Primary key": primary or "", "Secondary key": secondary or ""}
        case _:
            return {}


def enrollment_document(enrollment: Enrollment) -> str:
    """Return an enrollment as the service API shows it, indented."""
    shown = show_enrollment(enrollment, api_version="2026-11-01", keys=False)
    return json.dumps(shown, indent=2, ensure_ascii=False)


def certificate_card(ca: CaCertificate) -> CertificateCard:
    """Make the card of a CA certificate."""
    return CertificateCard(
        name=ca.name,
        verified=ca.verified,
        subject=subject(ca.certificate),
        expires=f"{ca.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        sha1=str(certificate_info(ca.certificate)["sha1Thumbprint"]),
        thumbprint=thumbprint(ca.certificate),
        code=ca.verification_code,
    )


def registration_rows(
    service: Service, recent: RecentRequests, names: Iterable[str], *, now: float
) -> list[RegistrationRow]:
    """Make the rows of devices, with their latest requests."""
    return [_registration_row(service, recent, name, now=now) for name in names]


def request_rows(recent: RecentRequests, *, after: int = 0) -> list[StepLine]:
    """Make the rows of the latest requests, newest first.

    Args:
        recent: The requests.
        after: Requests up to this number are left out.
    """
    return [_line(step) for step in reversed(recent.requests) if step.number > after]


def _registration_row(
    service: Service, recent: RecentRequests, name: str, *, now: float
) -> RegistrationRow:
    steps = recent.steps(name)
    shown = steps[0].exchange.registration_id if steps else None
    row_id = "r-" + hashlib.sha256(name.lower().encode()).hexdigest()[:24]
    lines = tuple(_line(step) for step in steps)
    operation = service.registrations.latest(name)
    row = RegistrationRow(
        row_id=row_id, id=shown or name, steps=lines, deletable=operation is not None
    )
    refused = f"refused, {lines[0].status}" if lines and lines[0].bad else ""
    if operation is None:
        return replace(row, status=refused, tone="bad") if refused else row

    outcome = operation.result(now) or Outcome(status=RegistrationStatus.ASSIGNING)
    hub_device = outcome.hub_device
    return replace(
        row,
        status=outcome.status.value,
        tone=_TONES.get(outcome.status, ""),
        note=_note(steps[0].exchange) if steps else "",
        hub=hub_device.hub if hub_device else "",
        device_id=hub_device.device_id if hub_device else "",
        substatus=outcome.substatus or outcome.error_message or "",
        certificate=_issued(operation) if hub_device else "",
    )


def _issued(operation: RegistrationOperation) -> str:
    if not operation.issued:
        return ""

    return f"{read_certificate(operation.issued[0]).not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _note(exchange: Exchange) -> str:
    """Say that the latest request was refused; the registration stands as it was."""
    if exchange.status_code and exchange.status_code < HTTPStatus.BAD_REQUEST:
        return ""

    return f"latest request: {_status(exchange)}"


def _status(exchange: Exchange) -> str:
    return str(exchange.status_code) if exchange.status_code else "no response"


def _line(step: Step) -> StepLine:
    exchange = step.exchange
    return StepLine(
        row_id=f"q-{step.number}",
        time=f"{dt.datetime.fromtimestamp(exchange.time).astimezone():%H:%M:%S.%f}"[:-3],
        transport=exchange.transport,
        what=exchange.what,
        status=_status(exchange),
        bad=not 0 < exchange.status_code < HTTPStatus.BAD_REQUEST or exchange.message is not None,
        who=exchange.registration_id or exchange.certificate or "",
        message=exchange.message,
    )


def _attestation(mechanism: Mechanism) -> tuple[str, str]:
    match mechanism:
        case ClientCertificates(primary=primary, secondary=secondary):
            return "X.509 certificate", _either(primary, secondary)
        case SigningCertificates(primary=primary, secondary=secondary):
            return "X.509, signed by", _either(primary, secondary)
        case CaReferences(primary=name, secondary=other):
            return "X.509, CA of this instance", " or ".join(filter(None, (name, other)))
        case SymmetricKeys():
            return "Symmetric key", ""
        case TpmKeys():
            return "TPM", ""
        case _:
            assert_never(mechanism)


def _policy(enrollment: Enrollment) -> str:
    if enrollment.issuance is None:
        return ""

    return f"issued by {' / '.join(enrollment.issuance.to_json().values())}"


def _either(*enrolled: EnrolledCertificate | None) -> str:
    return " or ".join(_certificate(each) for each in enrolled if each is not None)


def _certificate(enrolled: EnrolledCertificate | str) -> str:
    if isinstance(enrolled, str):
        return enrolled

    if enrolled.certificate is None:
        return f"SHA-256 {enrolled.thumbprint[:16]}…"

    return subject(enrolled.certificate) or enrolled.thumbprint


def _date(time: float) -> str:
    return f"{dt.datetime.fromtimestamp(time, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
