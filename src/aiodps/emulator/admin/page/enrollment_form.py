"""The form of an enrollment: what it asks for, and the JSON of the service API that it stands for.

So the page can do nothing that Azure's clients cannot, and is refused in the same words.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.admin.forms import Form
from aiodps.emulator.admin.page.rendering import ENROLLMENTS, GROUPS, Section
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.formats import symmetric_key
from aiodps.emulator.protocol.json_input import read_value
from aiodps.emulator.protocol.x509 import read_certificate
from aiodps.emulator.service.enrollments.enrollment import Enrollment
from aiodps.errors import CertificateError, ConfigurationError

POLICY: Final = {
    "namespaceName": "Namespace",
    "certificateAuthorityName": "Certificate authority",
    "certificatePolicyName": "Certificate policy",
}
"""Entries of the form for issuance, named as in the service API, and their labels."""
ALLOCATION: Final = {
    "": "hashed: evenly, by the weights of the hubs (default)",
    "geoLatency": "geoLatency: the hub with the lowest latency",
    "static": "static: one hub, chosen below",
    "custom": "custom: a webhook chooses",
}
"""Allocation policies, and how Azure's portal explains them."""
REPROVISION: Final = {
    "migrate": "Assign again and migrate the device's data",
    "reset": "Assign again and reset the device's data to the initial twin",
    "never": "Never: it keeps its hub and data",
}
_REPROVISION: Final = {"migrate": (True, True), "reset": (True, False), "never": (False, False)}
SLOTS: Final = ("primary", "secondary")
_TPM: Final = {"endorsement_key": "endorsementKey", "storage_root_key": "storageRootKey"}
_DROPPED: Final = ("etag", "createdDateTimeUtc", "lastUpdatedDateTimeUtc", "iotHubHostName")
"""Members of an enrollment that a form does not send back."""
_FIELDS: Final = {
    "primaryKey": "primary_key",
    "secondaryKey": "secondary_key",
    "endorsementKey": "endorsement_key",
    "storageRootKey": "storage_root_key",
    "initialTwin": "twin",
    "webhookUrl": "webhook_url",
    "customAllocationDefinition.apiVersion": "webhook_version",
    "CustomAllocationDefinition": "webhook_url",
    "allocation policy 'static'": "allocation",
    "deviceId": "device_id",
    "Invalid ": "id",
    "is not a registration id": "id",
    " and enrollmentGroupId": "id",
    **{name: name for name in POLICY},
}
"""Words in an error, and the field that they are about."""
_OWN: Final = (*SLOTS, "twin", "id")
"""Fields that errors of this module name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The differences between the two sections."""

    section: Section
    what: str
    id_title: str
    id_help: str
    id_member: str
    """Name of the id in the service API."""
    lead: str
    certificates: str
    """Name of the certificates in the service API."""
    certificate_help: str
    attestations: Mapping[str, str] = field(default_factory=dict)
    """Choices of the form, and their labels."""


INDIVIDUAL: Final = Kind(
    section=ENROLLMENTS,
    what="an individual enrollment",
    id_title="Registration id",
    id_help="for X.509, the common name of the device's certificate",
    id_member="registrationId",
    lead="Each allows one device to register, and takes precedence over groups.",
    certificates="clientCertificates",
    certificate_help="the device's own; PEM or DER",
    attestations={"x509": "X.509 certificate", "symmetricKey": "Symmetric key", "tpm": "TPM"},
)
GROUP: Final = Kind(
    section=GROUPS,
    what="an enrollment group",
    id_title="Group name",
    id_help="any unique name",
    id_member="enrollmentGroupId",
    lead="Each allows all devices that share a credential to register: a CA or a symmetric key.",
    certificates="signingCertificates",
    certificate_help="of the CA, root or intermediate; PEM or DER",
    attestations={
        "x509": "X.509, signed by a root or intermediate CA",
        "caReference": "X.509, signed by a CA certificate of this instance",
        "symmetricKey": "Symmetric key",
    },
)


def form_of(enrollment: Enrollment) -> Form:
    """Fill in the form with an enrollment; its keys and certificates are left out."""
    document = enrollment.to_json()
    attestation = document["attestation"]
    webhook = document.get("customAllocationDefinition", {})
    twin = document.get("initialTwin")
    fields = {
        "id": enrollment.id,
        "etag": enrollment.etag,
        "attestation": attestation["type"],
        "device_id": document.get("deviceId", ""),
        "enabled": "yes" if enrollment.enabled else "",
        "allocation": _policy_of(document),
        "webhook_url": webhook.get("webhookUrl", ""),
        "webhook_version": webhook.get("apiVersion", ""),
        "reprovision": reprovision_of(document),
        "twin": "" if twin is None else json.dumps(twin, indent=2, ensure_ascii=False),
        "edge": "yes" if _is_edge(document) else "",
    }
    references = attestation.get("x509", {}).get("caReferences")
    if references:
        fields["attestation"] = "caReference"
        fields |= {f"ca_{slot}": references.get(slot, "") for slot in SLOTS}

    keys = attestation.get("tpm", {})
    fields |= {name: keys.get(member, "") for name, member in _TPM.items()}
    fields |= {f"hub:{hub}": "yes" for hub in enrollment.allocation.named}
    fields |= {name: document.get(name, "") for name in POLICY}
    return Form(fields=fields)


def document_of(
    form: Form, kind: Kind, *, hubs: Iterable[str], older: Enrollment | None = None
) -> dict[str, Any]:
    """Write the enrollment that a form stands for, as the service API takes it.

    Args:
        form: As submitted.
        kind: Of the enrollment.
        hubs: The linked hubs, which the form lists.
        older: The enrollment to change; None for a new one.

    Raises:
        ConfigurationError: If a field cannot be read.
    """
    before = {} if older is None else older.to_json()
    kept = {name: value for name, value in before.items() if name not in _DROPPED}
    url, version = form.text("webhook_url"), form.text("webhook_version")
    document = kept | {
        kind.id_member: (form.text("id") or None) if older is None else older.id,
        "attestation": _attestation(form, kind, before.get("attestation", {})),
        "provisioningStatus": "enabled" if form.checked("enabled") else "disabled",
        "deviceId": form.text("device_id") or None,
        "allocationPolicy": _allocation(form, before),
        "iotHubs": [hub for hub in hubs if form.checked(f"hub:{hub}")],
        "customAllocationDefinition": _without_empty(webhookUrl=url, apiVersion=version),
        "reprovisionPolicy": _reprovision(form, before),
        "initialTwin": _twin(form.text("twin")),
        "capabilities": _capabilities(form, before),
        **{name: form.text(name) or None for name in POLICY},
    }
    if any(document[name] for name in POLICY):
        document.pop("credentialPolicyName", None)

    return {name: value for name, value in document.items() if value is not None}


def keep_files(form: Form) -> Form:
    """Move uploaded certificates into fields: browsers keep no files over an error."""
    kept = dict.fromkeys((f"{slot}_pem" for slot in SLOTS), "")
    for slot in SLOTS:
        with suppress(ConfigurationError):
            kept[f"{slot}_pem"] = _pem(form, slot)

    return replace(form, fields={**form.fields, **kept}, files={})


def field_of(error: ConfigurationError | Refusal) -> str:
    """Return the field that an error is about; "" if that is not known."""
    if isinstance(error, ConfigurationError) and error.setting in _OWN:
        return error.setting

    return next((name for words, name in _FIELDS.items() if words in error.message), "")


def reprovision_of(document: Mapping[str, Any]) -> str:
    """Return the choice of the form for a `reprovisionPolicy`."""
    policy = document.get("reprovisionPolicy", {})
    if policy.get("updateHubAssignment") is False:
        return "never"

    return "reset" if policy.get("migrateDeviceData") is False else "migrate"


def _reprovision(form: Form, before: Mapping[str, Any]) -> Any:
    choice = form.text("reprovision") or "migrate"
    if before and choice == reprovision_of(before):
        return before["reprovisionPolicy"]

    update, migrate = _REPROVISION.get(choice, (True, True))
    return {"updateHubAssignment": update, "migrateDeviceData": migrate}


def _policy_of(document: Mapping[str, Any]) -> str:
    policy: str = document.get("allocationPolicy", "")
    return "" if policy == "hashed" else policy


def _allocation(form: Form, before: Mapping[str, Any]) -> Any:
    """Return the policy; the default one is written only if it was before."""
    return form.text("allocation") or (
        "hashed" if before.get("allocationPolicy") == "hashed" else None
    )


def _capabilities(form: Form, before: Mapping[str, Any]) -> Any:
    if not form.checked("edge") and "capabilities" not in before:
        return None

    return before.get("capabilities", {}) | {"iotEdge": form.checked("edge")}


def _is_edge(document: Mapping[str, Any]) -> bool:
    return bool(document.get("capabilities", {}).get("iotEdge"))


def _twin(text: str) -> Any:
    if not text:
        return None

    try:
        return read_value(text)
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}: {exc.msg}"
        raise ConfigurationError(f"initialTwin is not JSON in {place}", setting="twin") from None
    except ValueError as exc:
        raise ConfigurationError(f"initialTwin is not JSON: {exc}", setting="twin") from exc


def _attestation(form: Form, kind: Kind, before: Mapping[str, Any]) -> dict[str, Any]:
    match form.text("attestation"):
        case "symmetricKey":
            return {"type": "symmetricKey", "symmetricKey": _keys(form, before)}
        case "tpm":
            keys = {member: form.text(name) or None for name, member in _TPM.items()}
            return {"type": "tpm", "tpm": keys}
        case "caReference":
            names = {slot: form.text(f"ca_{slot}") or None for slot in SLOTS}
            return {"type": "x509", "x509": {"caReferences": names}}
        case _:
            known = before.get("x509", {}).get(kind.certificates, {})
            return {"type": "x509", "x509": {kind.certificates: _certificates(form, known)}}


def _keys(form: Form, before: Mapping[str, Any]) -> dict[str, str | None]:
    known = before.get("symmetricKey", {})
    keys: dict[str, str | None] = {}
    for slot in SLOTS:
        member = f"{slot}Key"
        keys[member] = form.text(f"{slot}_key") or known.get(member)
        if form.checked(f"new_{slot}_key"):
            keys[member] = symmetric_key(rng=random.SystemRandom())

    return keys


def _certificates(form: Form, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is enrolled, with new certificates in their places."""
    enrolled = dict(before)
    for slot in SLOTS:
        if pem := _pem(form, slot):
            enrolled[slot] = {"certificate": pem}
        elif form.checked(f"remove_{slot}"):
            enrolled.pop(slot, None)

    if not enrolled:
        raise ConfigurationError("choose the primary certificate", setting="primary")

    return enrolled


def _pem(form: Form, slot: str) -> str:
    """Return an uploaded certificate, PEM or DER, as PEM; "" if there is none."""
    given = form.file(slot) or form.text(f"{slot}_pem").encode()
    if not given:
        return ""

    try:
        certificate = read_certificate(given)
    except CertificateError as exc:
        raise ConfigurationError(
            f"the {slot} certificate is neither PEM nor DER", setting=slot
        ) from exc

    return certificate.public_bytes(Encoding.PEM).decode()


def _without_empty(**members: str) -> dict[str, str] | None:
    return {name: text for name, text in members.items() if text} or None
