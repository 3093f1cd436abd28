"""The body of a register request, `DeviceRegistration`, read as tolerantly as clients need.

Some send nothing, `{}`, `{"payload": null}` or `RegistrationId`; all of these are taken (seen in
Microsoft's own clients).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiodps.emulator.protocol.api_versions import has_csr
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_object
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.protocol.messages import Operation, Request, Transport
from aiodps.emulator.service.enrollments.mechanisms import TpmKeys, read_tpm_keys
from aiodps.errors import ConfigurationError

_NO_CSR = "this emulator issues no certificates"
_NO_TPM = "there is no TPM attestation over MQTT"


def read_payload(request: Request) -> Mapping[str, Any] | None:
    """Check the body of a register request or look-up; return its payload, None if it has none.

    Raises:
        Refusal: 400, if the body is not a JSON object, names another device, has a payload that
            is not an object, or asks for something the emulator does not do.
    """
    members = _read(request.body)
    named = members.get("registrationid")
    if named is not None and not _is_same(named, request.registration_id):
        raise Refusal(ErrorCode.BAD_REQUEST, "The registration id in the body is another one.")

    payload = members.get("payload")
    if not isinstance(payload, dict | None):
        raise Refusal(ErrorCode.BAD_REQUEST, "The payload is not a JSON object.")

    if members.get("csr") is not None:
        raise _csr_refused(request)

    if members.get("tpm") is not None and request.transport is Transport.MQTT:
        raise Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=_NO_TPM)

    return payload


def read_tpm(request: Request) -> TpmKeys | None:
    """Return the keys of the device's TPM in the body of a register request, or None.

    Raises:
        Refusal: 400, if they are not what they should be.
    """
    if request.operation is not Operation.REGISTER:
        return None

    tpm = _read(request.body).get("tpm")
    if tpm is None:
        return None

    try:
        return read_tpm_keys(JsonObject(tpm if isinstance(tpm, dict) else {}, "the body", "tpm."))
    except ConfigurationError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=exc.message) from exc


def _read(body: bytes) -> Mapping[str, Any]:
    """Return the members by their names in lower case."""
    if not body.strip():
        return {}

    try:
        document = read_object(body)
    except ValueError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=f"the body: {exc}"[:200]) from exc

    return {name.lower(): value for name, value in document.items()}


def _csr_refused(request: Request) -> Refusal:
    """Refuse a CSR in the words that the service has for a member it does not know."""
    known = has_csr(request.api_version or "")
    why = _NO_CSR if known else f"api-version {request.api_version} does not have csr"
    return Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=why)


def _is_same(named: object, registration_id: str) -> bool:
    return isinstance(named, str) and named.lower() == registration_id.lower()
