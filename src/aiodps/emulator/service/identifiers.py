"""The ids that the service makes up, in the form it gives them; chance is an argument."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import uuid

_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]", re.ASCII)


def is_registration_id(text: str) -> bool:
    """Whether the text can be a registration id.

    Source: Microsoft Learn, "Terms used with Azure IoT Hub Device Provisioning Service": up to 128
    characters, alphanumerics and `-`, `.`, `_`, `:`, the last one alphanumeric or a dash.
    """
    return _REGISTRATION_ID.fullmatch(text) is not None


def guid(chance: random.Random) -> str:
    """Make an id of the form that Microsoft gives to everything."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def operation_id(registration_id: str, *, chance: random.Random) -> str:
    """Make an operation id: 55 characters that need no escape in paths and topics.

    On the wire, all operations of a device have the 16 hex digits in common.
    """
    digits = hashlib.sha256(registration_id.lower().encode()).hexdigest()[:16]
    return f"5.{digits}.{guid(chance)}"


def etag(*, chance: random.Random, now: float) -> str:
    """Make an etag as devices and ARM see it: base64 of an enrollment's."""
    return base64.b64encode(enrollment_etag(chance=chance, now=now).encode()).decode()


def enrollment_etag(*, chance: random.Random, now: float) -> str:
    """Make an etag as the service API gives it: like a guid that ends in the time, and quoted."""
    mark = chance.getrandbits(32)
    return f'"{mark:08x}-0000-0100-0000-{int(now) & 0xFFFF_FFFF:08x}0000"'


def symmetric_key(*, chance: random.Random) -> str:
    """Make a key as the service does: 64 bytes, as base64."""
    return base64.b64encode(chance.randbytes(64)).decode()


def verification_code(*, chance: random.Random) -> str:
    """Make a code for a proof of possession: 48 upper-case hex digits, as seen on the wire."""
    return f"{chance.getrandbits(192):048X}"
