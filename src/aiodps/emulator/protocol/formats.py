"""Ids, etags, keys and times in the form of the service; randomness is an argument."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import re
import uuid

from aiodps.emulator.protocol.errors import ErrorCode, Refusal

_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]", re.ASCII)


def is_registration_id(text: str) -> bool:
    """Whether the text can be a registration id.

    Source: Microsoft Learn, "Terms used with Azure IoT Hub Device Provisioning Service": up to 128
    characters, alphanumerics and `-`, `.`, `_`, `:`, the last one alphanumeric or a dash.
    """
    return _REGISTRATION_ID.fullmatch(text) is not None


def guid(rng: random.Random) -> str:
    """Make a random GUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def operation_id(registration_id: str, *, rng: random.Random) -> str:
    """Make an operation id: 55 characters that need no escape in paths and topics.

    On the wire, all operations of a device have the 16 hex digits in common.
    """
    digits = hashlib.sha256(registration_id.lower().encode()).hexdigest()[:16]
    return f"5.{digits}.{guid(rng)}"


def etag(*, rng: random.Random, now: float) -> str:
    """Make an etag as devices and ARM see it: base64 of an enrollment's."""
    return base64.b64encode(enrollment_etag(rng=rng, now=now).encode()).decode()


def enrollment_etag(*, rng: random.Random, now: float) -> str:
    """Make an etag as the service API gives it: like a guid that ends in the time, and quoted."""
    mark = rng.getrandbits(32)
    return f'"{mark:08x}-0000-0100-0000-{int(now) & 0xFFFF_FFFF:08x}0000"'


def symmetric_key(*, rng: random.Random) -> str:
    """Make a symmetric key as the service does: 64 bytes, as base64."""
    return base64.b64encode(rng.randbytes(64)).decode()


def verification_code(*, rng: random.Random) -> str:
    """Make a code for a proof of possession: 48 upper-case hex digits, as seen on the wire."""
    return f"{rng.getrandbits(192):048X}"


_TICKS = 10_000_000
"""The service counts time in tenths of a microsecond."""
_FRACTION = re.compile(r"\.(\d{1,20})")


def timestamp(time: float) -> str:
    """Write a time, in seconds since 1970, as the service does: seven digits of a second and Z."""
    seconds, ticks = divmod(int(time * _TICKS), _TICKS)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ticks:07d}Z"


def read_timestamp(text: str) -> float:
    """Read a time in ISO 8601, of UTC unless it says otherwise, as seconds since 1970.

    What `timestamp` wrote is read as the same number again, to the last bit.

    Raises:
        ValueError: If it is not a time, or before 1970.
    """
    fraction = _FRACTION.search(text)
    ticks = int(fraction[1][:7].ljust(7, "0")) if fraction else 0
    whole = dt.datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    seconds = (whole if whole.tzinfo else whole.replace(tzinfo=dt.UTC)).timestamp()
    if seconds < 0:
        raise ValueError("before 1970")

    return (int(seconds) * _TICKS + ticks) / _TICKS


ANY = "*"
"""`If-Match` for whatever etag the record has."""


def check_etag(etag: str, if_match: str | None) -> None:
    """Refuse a change of a record that is not the one the writer saw.

    Args:
        etag: Of the record.
        if_match: As the header, or the member `etag` of a bulk item, gives it: with quotes or
            without (Microsoft's clients do either), several after commas, `*` for any; None if
            the writer did not say, which is any as well.

    Raises:
        Refusal: 412, if the record has another etag.
    """
    wanted = {_bare(each) for each in (ANY if if_match is None else if_match).split(",")}
    if not wanted & {ANY, _bare(etag)}:
        raise Refusal(ErrorCode.PRECONDITION_FAILED, "Precondition failed.")


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
