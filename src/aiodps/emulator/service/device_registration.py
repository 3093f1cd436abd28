"""The body of a register request: `DeviceRegistration`, read as tolerantly as clients need.

Some send nothing, `{}`, `{"payload": null}` or `RegistrationId`; all of these are taken (seen in
Microsoft's own clients).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiodps.emulator.service.refusals import ErrorCode, refusal

MAX_BODY = 96 * 1024
"""Bytes of a request (Microsoft Learn, "Quotas and limits in the Device Provisioning Service")."""


def check_device_registration(body: bytes, *, registration_id: str) -> None:
    """Refuse what a device may not send.

    Raises:
        BadRequestError: If it is too large, not a JSON object, about another device, has a payload
            that is no object, or asks for what this instance does not do.
    """
    if len(body) > MAX_BODY:
        raise refusal(ErrorCode.INVALID_REQUEST, f"The body is larger than {MAX_BODY} bytes.")

    members = _read(body)
    named = members.get("registrationid")
    if named is not None and not _is_same(named, registration_id):
        raise refusal(ErrorCode.BAD_REQUEST, "The registration id in the body is another one.")

    if not isinstance(members.get("payload", None), dict | None):
        raise refusal(ErrorCode.BAD_REQUEST, "The payload is not a JSON object.")

    if any(members.get(name) is not None for name in ("csr", "tpm")):
        raise refusal(ErrorCode.DESERIALIZATION, "Deserialization error")


def _read(body: bytes) -> Mapping[str, Any]:
    """Return the members by their lower-case names."""
    if not body.strip():
        return {}

    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise refusal(ErrorCode.BAD_REQUEST, "BadRequest") from exc

    if not isinstance(document, dict):
        raise refusal(ErrorCode.BAD_REQUEST, "BadRequest")

    return {name.lower(): value for name, value in document.items()}


def _is_same(named: object, registration_id: str) -> bool:
    return isinstance(named, str) and named.lower() == registration_id.lower()
