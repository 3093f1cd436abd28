"""What a signature proves: that a device has the key of its enrollment, or one of a group's."""

from __future__ import annotations

import functools

from aiodps.emulator.service.mechanisms import SymmetricKeys
from aiodps.emulator.service.refusals import ErrorCode, refusal
from aiodps.emulator.service.sas import SasError, SharedAccessSignature, decode_key, derive_key
from aiodps.emulator.wire import Carrier, Identity, Request
from aiodps.errors import ServiceError

_KNOWN_KEYS = 1024
"""Enrollments whose keys are kept decoded."""


def read_token(request: Request, identity: Identity, *, now: float) -> SharedAccessSignature:
    """Return the device's token if it is in time and made for this registration.

    Raises:
        UnauthorizedError: If there is none like that.
    """
    if not identity.authorization:
        raise key_rejected(request, "the enrollment asks for a signature; there is none")

    try:
        token = SharedAccessSignature.read(identity.authorization)
    except SasError as exc:
        raise key_rejected(request, f"no shared access signature: {exc}") from exc

    if not token.is_for(f"{request.id_scope}/registrations/{request.registration_id}"):
        raise key_rejected(request, f"the signature is for {token.resource[:200]!a}")

    if token.is_expired(now):
        raise key_rejected(request, f"the signature ended {now - token.expiry:.0f} s ago")

    return token


def is_signed_by_device(token: SharedAccessSignature, keys: SymmetricKeys) -> bool:
    """Whether one of an individual enrollment's two keys made the signature."""
    return token.is_signed_with(_decoded(keys))


def is_signed_by_member(
    token: SharedAccessSignature, keys: SymmetricKeys, registration_id: str
) -> bool:
    """Whether a key made the signature that comes from one of a group's two.

    Registration ids have no casing, but keys are made of bytes. Which bytes the service takes is
    not known, so both are good: the id as this request has it, and in lower case.
    """
    lower = registration_id.lower()
    spellings = (lower,) if lower == registration_id else (registration_id, lower)
    return token.is_signed_with(
        [derive_key(key, spelling) for key in _decoded(keys) for spelling in spellings]
    )


def key_rejected(request: Request, why: str) -> ServiceError:
    """Make the error for a bad signature; the code depends on the transport (seen on the wire)."""
    over_mqtt = request.carrier is Carrier.MQTT
    code = ErrorCode.KEY_REJECTED if over_mqtt else ErrorCode.UNAUTHORIZED
    return refusal(code, "Unauthorized", why=why)


@functools.lru_cache(maxsize=_KNOWN_KEYS)
def _decoded(keys: SymmetricKeys) -> tuple[bytes, ...]:
    return tuple(decode_key(key) for key in (keys.primary, keys.secondary) if key is not None)
