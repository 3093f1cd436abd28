"""Shared access signatures (SAS), the tokens of devices and administrators with symmetric keys.

A token has `sr` (the resource), `sig` (the signature), `se` (the expiry) and mostly `skn` (the
name of the key). Clients differ: the resource is escaped with upper-case hex, with lower-case hex
or not at all, `skn` is missing or empty, the order varies (seen on the wire). All of them sign the
resource exactly as they write it, so it is verified as received.

Source of form and key derivation: Microsoft Learn, "Symmetric key attestation with DPS".
"""

from __future__ import annotations

import base64
import functools
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.messages import Identity, Request, Transport
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys

SCHEME: Final = "SharedAccessSignature"
CLOCK_SKEW: Final = 60.0
"""Seconds after its expiry in which a token is accepted; what the service allows is not known."""
_MAX_DIGITS = 18
_NAMES = {"sr", "sig", "se", "skn"}


class SasError(ValueError):
    """The string is not a shared access signature; the message says why, without the string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccessSignature:
    """A token, parsed but not verified."""

    resource: str
    """The resource, unescaped."""
    expiry: int
    """Seconds since 1970."""
    policy: str | None
    """Name of the key (`skn`), maybe empty; None if absent."""
    raw_resource: str
    """The resource, as written."""
    escaped: bool
    """Whether the signature is percent-encoded, as it should be."""
    signed: bytes = field(repr=False)
    """The bytes that the signature is over."""
    signature: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse a token of any client.

        Raises:
            SasError: If it is not a token.
        """
        scheme, _, rest = text.strip().partition(" ")
        if scheme.lower() != SCHEME.lower():
            raise SasError(f"it does not begin with {SCHEME}")

        members = _members(rest)
        resource, expiry = members["sr"], members["se"]
        return cls(
            resource=unquote(resource),
            expiry=_seconds(expiry),
            policy=unquote(members["skn"]) if "skn" in members else None,
            raw_resource=resource,
            escaped=not set("+/=") & set(members["sig"]),
            signed=f"{resource}\n{expiry}".encode(errors="replace"),
            signature=_signature(unquote(members["sig"])),
        )

    def is_for(self, *resources: str) -> bool:
        """Whether it is for one of these resources; casing is ignored."""
        return self.resource.lower() in {each.lower() for each in resources}

    def is_expired(self, now: float) -> bool:
        """Whether it expired, beyond clock skew; `now` is in seconds since 1970."""
        return self.expiry + CLOCK_SKEW < now

    def is_signed_with(self, keys: Iterable[bytes]) -> bool:
        """Whether one of the keys made the signature."""
        return self.signing_key(keys) is not None

    def signing_key(self, keys: Iterable[bytes]) -> bytes | None:
        """Return the key that made the signature, compared in constant time, or None."""
        for key in keys:
            if hmac.compare_digest(hmac.digest(key, self.signed, "sha256"), self.signature):
                return key

        return None


def derive_key(group_key: bytes, registration_id: str) -> bytes:
    """Derive the key of a device from that of its group, for the id as the device writes it."""
    return hmac.digest(group_key, registration_id.encode(), "sha256")


def decode_key(text: str) -> bytes:
    """Decode a key from base64.

    Raises:
        ValueError: If it is not base64.
    """
    return base64.b64decode(text, validate=True)


def _members(text: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.strip().split("&")]
    members = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if len(members) != len(pairs):
        raise SasError("a member comes twice")

    missing = [name for name in ("sr", "sig", "se") if not members.get(name)]
    if missing:
        raise SasError(f"it has no {' and no '.join(missing)}")

    return {name: value for name, value in members.items() if name in _NAMES}


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise SasError("its se is not a whole number of seconds since 1970")

    return int(text)


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise SasError("its sig is not base64") from exc


_KNOWN_KEYS = 1024
"""Enrollments whose decoded keys are cached."""


def read_token(request: Request, identity: Identity, *, now: float) -> SharedAccessSignature:
    """Return the device's token if it has not expired and is for this registration.

    Raises:
        Refusal: 401, if there is no such token.
    """
    if not identity.authorization:
        raise key_rejected(request, "the enrollment needs a signature; there is none")

    try:
        token = SharedAccessSignature.read(identity.authorization)
    except SasError as exc:
        raise key_rejected(request, f"not a shared access signature: {exc}") from exc

    if not token.is_for(f"{request.id_scope}/registrations/{request.registration_id}"):
        raise key_rejected(request, f"the signature is for {token.resource[:200]!a}")

    if token.is_expired(now):
        raise key_rejected(request, f"the signature expired {now - token.expiry:.0f} s ago")

    return token


def is_signed_by_device(token: SharedAccessSignature, keys: SymmetricKeys) -> bool:
    """Whether one of an individual enrollment's two keys made the signature."""
    return token.is_signed_with(_decoded(keys))


def is_signed_by_member(
    token: SharedAccessSignature, keys: SymmetricKeys, registration_id: str
) -> bool:
    """Whether a key derived from one of a group's two made the signature.

    Casing of registration ids is ignored, but matters for the derived key. What the service uses
    is not known, so both are accepted: the id as in this request, and in lower case.
    """
    return token.is_signed_with(_derived(keys, registration_id))


def signing_key(
    token: SharedAccessSignature, keys: SymmetricKeys, *, member: str | None
) -> bytes | None:
    """Return the key that made the signature, or None.

    Args:
        token: Of the device.
        keys: Of its enrollment.
        member: Its registration id, if they are a group's keys; None if they are its own.
    """
    return token.signing_key(_decoded(keys) if member is None else _derived(keys, member))


def _derived(keys: SymmetricKeys, registration_id: str) -> list[bytes]:
    lower = registration_id.lower()
    spellings = (lower,) if lower == registration_id else (registration_id, lower)
    return [derive_key(key, spelling) for key in _decoded(keys) for spelling in spellings]


def mistaken_group_key(
    token: SharedAccessSignature, keys: SymmetricKeys, registration_id: str
) -> str | None:
    """Say which common mistake made a signature; None if it is none of them."""
    texts = [text.encode() for text in (keys.primary, keys.secondary) if text is not None]
    derived = [derive_key(text, registration_id) for text in texts]
    mistakes = {
        "it is by the key itself, not by one derived from it,": _decoded(keys),
        "it is by the key as text, not decoded from base64,": texts,
        "it is by a key derived from the key as text, not decoded from base64,": derived,
    }
    return next((what for what, made in mistakes.items() if token.is_signed_with(made)), None)


def key_rejected(request: Request, why: str) -> Refusal:
    """Make the refusal of a signature; the code depends on the transport (seen on the wire)."""
    over_mqtt = request.transport is Transport.MQTT
    code = ErrorCode.KEY_REJECTED if over_mqtt else ErrorCode.UNAUTHORIZED
    return Refusal(code, "Unauthorized", why=why)


@functools.lru_cache(maxsize=_KNOWN_KEYS)
def _decoded(keys: SymmetricKeys) -> tuple[bytes, ...]:
    return tuple(decode_key(key) for key in (keys.primary, keys.secondary) if key is not None)
