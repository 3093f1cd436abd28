"""The body of a register request: `DeviceRegistration`, read as tolerantly as clients need.

Some send nothing, `{}`, `{"payload": null}` or `RegistrationId`; all of these are taken (seen in
Microsoft's own clients).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_object
from aiodps.emulator.protocol.messages import Request, Transport

_NO_CSR = "this emulator issues no certificates"
_NO_TPM = "this emulator knows no TPM"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRegistration:
    """What a device says of itself."""

    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """For the webhook of a custom allocation; None if it has nothing to say."""


def read_device_registration(request: Request) -> DeviceRegistration:
    """Read the body of a register request or of a look-up.

    Raises:
        Refusal: 400, if it is not a JSON object, about another device, has a payload that is no
            object, or asks for what this instance does not do.
        Refusal: 404, if it is of a TPM, since no TPM is enrolled.
    """
    members = _read(request.body)
    named = members.get("registrationid")
    if named is not None and not _is_same(named, request.registration_id):
        raise Refusal(ErrorCode.BAD_REQUEST, "The registration id in the body is another one.")

    payload = members.get("payload")
    if not isinstance(payload, dict | None):
        raise Refusal(ErrorCode.BAD_REQUEST, "The payload is not a JSON object.")

    if members.get("csr") is not None:
        raise Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=_NO_CSR)

    if members.get("tpm") is not None:
        raise _tpm_refused(request)

    return DeviceRegistration(payload=payload)


def _read(body: bytes) -> Mapping[str, Any]:
    """Return the members by their lower-case names."""
    if not body.strip():
        return {}

    try:
        document = read_object(body)
    except ValueError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=f"the body: {exc}"[:200]) from exc

    return {name.lower(): value for name, value in document.items()}


def _tpm_refused(request: Request) -> Refusal:
    """Refuse a TPM: over HTTPS as an unknown one (seen on the wire), over MQTT as such."""
    if request.transport is Transport.MQTT:
        return Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=_NO_TPM)

    return Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Enrollment not found.", why=_NO_TPM)


def _is_same(named: object, registration_id: str) -> bool:
    return isinstance(named, str) and named.lower() == registration_id.lower()
