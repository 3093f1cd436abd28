"""View models of enrollments and certificates: the values that the templates show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, assert_never

from cryptography import x509

from aiodps.emulator.admin.forms import Form
from aiodps.emulator.admin.page.enrollment_form import ALLOCATION, REPROVISION, SLOTS
from aiodps.emulator.admin.page.enrollment_form import reprovision_of as _reprovision_of
from aiodps.emulator.admin.page.rendering import date
from aiodps.emulator.admin.page.thumbprints import (
    Thumbprints,
    enrolled_certificates,
    thumbprints_of,
)
from aiodps.emulator.protocol.x509 import certificate_info, read_certificate, subject
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

_UNKNOWN: Final = "unknown: only its thumbprint was enrolled"


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
    thumbprints: str = ""
    """Of its certificates, for the filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """A certificate, as far as it is known."""

    title: str
    """"Primary", or "" if it is the only one."""
    subject: str
    issuer: str
    expires: str
    thumbprints: Thumbprints


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCard:
    """A CA certificate of the instance."""

    name: str
    verified: bool
    etag: str
    facts: CertificateFacts
    groups: tuple[str, ...]
    """The groups that refer to it by name or hold it."""
    code: str | None = field(repr=False)
    """The verification code; None if none was generated."""


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
        thumbprints=thumbprints_of(enrollment),
    )


def enrollment_facts(enrollment: Enrollment) -> dict[str, str]:
    """Return everything about an enrollment but its keys and certificates, by label."""
    row, document = enrollment_row(enrollment), enrollment.to_json()
    policy = enrollment.allocation.policy
    webhook = enrollment.custom_allocation
    edge = document.get("capabilities", {}).get("iotEdge")
    return {
        "Attestation": row.attestation,
        "CA certificates": row.attested_by if _by_name(enrollment) else "",
        "Device id": row.device_id,
        "Allocation policy": ALLOCATION.get(policy or "", ALLOCATION[""]),
        "IoT hubs": ", ".join(enrollment.allocation.named) or "all that are linked",
        "Webhook": f"{webhook.webhook_url.partition('?')[0]} ({webhook.api_version})"
        if webhook
        else "",
        "Reprovisioning": REPROVISION[_reprovision_of(document)],
        "IoT Edge": "yes" if edge else "",
        "Initial twin": _compact(enrollment.initial_twin),
        "Certificates": _policy(enrollment),
        "Created": date(enrollment.created) if enrollment.created else "",
        "Updated": date(enrollment.updated) if enrollment.updated else "",
    }


def enrollment_certificates(enrollment: Enrollment) -> list[CertificateFacts]:
    """Return the certificates of an enrollment, the primary one first."""
    return list(certificates_by_slot(enrollment).values())


def certificates_by_slot(enrollment: Enrollment) -> dict[str, CertificateFacts]:
    """Return the certificates of an enrollment, by `primary` and `secondary`."""
    return {
        slot: certificate_facts(each, title=slot.capitalize())
        for slot, each in enrolled_certificates(enrollment).items()
    }


def certificate_facts(
    certificate: x509.Certificate | EnrolledCertificate, *, title: str = ""
) -> CertificateFacts:
    """Describe a certificate, whole or as enrolled."""
    prints = Thumbprints.of(certificate)
    whole = certificate if isinstance(certificate, x509.Certificate) else certificate.certificate
    if whole is None:
        return CertificateFacts(
            title=title, subject=_UNKNOWN, issuer="", expires="", thumbprints=prints
        )

    info = certificate_info(whole)
    return CertificateFacts(
        title=title,
        subject=str(info["subjectName"]),
        issuer=str(info["issuerName"]),
        expires=str(info["notAfterUtc"]).replace("T", " ").replace("Z", " UTC"),
        thumbprints=prints,
    )


def kept_certificates(form: Form) -> dict[str, str]:
    """Return the subjects of certificates that a form has kept over an error, by slot."""
    kept = {slot: form.text(f"{slot}_pem") for slot in SLOTS}
    return {slot: subject(read_certificate(pem)) for slot, pem in kept.items() if pem}


def enrollment_keys(enrollment: Enrollment) -> dict[str, str]:
    """Return the keys of an enrollment, by label; those of a TPM are public."""
    match enrollment.attestation:
        case SymmetricKeys(primary=primary, secondary=secondary):
            return {"Primary key": primary or "", "Secondary key": secondary or ""}
        case TpmKeys(endorsement_key=endorsement, storage_root_key=root):
            return {"Endorsement key": endorsement} | ({"Storage root key": root} if root else {})
        case _:
            return {}


def enrollment_document(enrollment: Enrollment) -> str:
    """Return an enrollment as the service API shows it, indented."""
    shown = show_enrollment(enrollment, api_version="2026-11-01", keys=False)
    return json.dumps(shown, indent=2, ensure_ascii=False)


def certificate_card(ca: CaCertificate, enrollments: Iterable[Enrollment]) -> CertificateCard:
    """Make the card of a CA certificate."""
    facts = certificate_facts(ca.certificate)
    return CertificateCard(
        name=ca.name,
        verified=ca.verified,
        etag=ca.etag,
        facts=facts,
        groups=tuple(each.id for each in enrollments if _refers_to(each, ca.name, facts)),
        code=ca.verification_code,
    )


def _refers_to(enrollment: Enrollment, name: str, facts: CertificateFacts) -> bool:
    match enrollment.attestation:
        case CaReferences(primary=primary, secondary=secondary):
            return name.lower() in {each.lower() for each in (primary, secondary) if each}
        case SigningCertificates() as pair:
            pairs = (pair.primary, pair.secondary)
            return facts.thumbprints.sha256 in {each.thumbprint for each in pairs if each}
        case _:
            return False


def _by_name(enrollment: Enrollment) -> bool:
    return isinstance(enrollment.attestation, CaReferences)


def _attestation(mechanism: Mechanism) -> tuple[str, str]:
    match mechanism:
        case ClientCertificates(primary=primary, secondary=secondary):
            return "X.509 certificate", _either(primary, secondary)
        case SigningCertificates(primary=primary, secondary=secondary):
            return "X.509, signed by a CA", _either(primary, secondary)
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


def _certificate(enrolled: EnrolledCertificate) -> str:
    if enrolled.certificate is None:
        return f"SHA-256 {enrolled.thumbprint[:16]}…"

    return subject(enrolled.certificate) or enrolled.thumbprint


def _compact(document: object) -> str:
    return "" if document is None else json.dumps(document, ensure_ascii=False)
