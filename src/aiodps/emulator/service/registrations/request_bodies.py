"""The body of a register request, `DeviceRegistration`, read as tolerantly as clients need.

Some send nothing, `{}`, `{"payload": null}` or `RegistrationId`; all of these are taken (seen in
Microsoft's own clients).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from aiodps.emulator.protocol.api_versions import has_csr
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_object
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.protocol.messages import Operation, Request, Transport
from aiodps.emulator.service.enrollments.mechanisms import TpmKeys, read_tpm_keys
from aiodps.emulator.service.issuance.csr import read_csr
from aiodps.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRegistration:
    """The members of the body."""

    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """For a webhook; None if there is none."""
    tpm: TpmKeys | None = None
    """The public keys of the device's TPM; None if there are none."""
    csr: x509.CertificateSigningRequest | None = None
    """Of the device, checked; None if it asks for no certificate."""


def read_registration(request: Request) -> DeviceRegistration:
    """Read the body of a register request or look-up.

    Raises:
        Refusal: 400, if the body is not a JSON object, names another device, or has a member that
            is not what it should be, or that this request cannot have.
    """
    members = _read(request.body)
    named = members.get("registrationid")
    if named is not None and not _is_same(named, request.registration_id):
        raise Refusal(ErrorCode.BAD_REQUEST, "The registration id in the body is another one.")

    payload, tpm, csr = (members.get(name) for name in ("payload", "tpm", "csr"))
    if not isinstance(payload, dict | None):
        raise Refusal(ErrorCode.BAD_REQUEST, "The payload is not a JSON object.")

    return DeviceRegistration(
        payload=payload,
        tpm=None if tpm is None else _read_tpm(tpm, request),
        csr=None if csr is None else _read_csr(csr, request),
    )


def _read_tpm(tpm: object, request: Request) -> TpmKeys | None:
    if request.transport is Transport.MQTT:
        raise _not_deserialized("there is no TPM attestation over MQTT")

    if request.operation is not Operation.REGISTER:
        return None

    try:
        return read_tpm_keys(JsonObject(tpm if isinstance(tpm, dict) else {}, "the body", "tpm."))
    except ConfigurationError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=exc.message) from exc


def _read_csr(csr: object, request: Request) -> x509.CertificateSigningRequest:
    if not has_csr(request.api_version or ""):
        raise _not_deserialized(f"api-version {request.api_version} does not have csr")

    if request.operation is not Operation.REGISTER:
        raise _not_deserialized("only a register request has csr")

    return read_csr(csr, registration_id=request.registration_id)


def _read(body: bytes) -> Mapping[str, Any]:
    """Return the members by their names in lower case."""
    if not body.strip():
        return {}

    try:
        document = read_object(body)
    except ValueError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=f"the body: {exc}"[:200]) from exc

    return {name.lower(): value for name, value in document.items()}


def _not_deserialized(why: str) -> Refusal:
    """Refuse a member in the words that the service has for those it does not know."""
    return Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=why)


def _is_same(named: object, registration_id: str) -> bool:
    return isinstance(named, str) and named.lower() == registration_id.lower()
