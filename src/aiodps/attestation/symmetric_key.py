"""Symmetric key attestation: the device signs tokens with a key that its enrollment has as well.

A traceback that shows locals must not show a key, so a function that has one does not raise.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias, TypeVar, final

from aiodps.argument_types import check_callable, check_type
from aiodps.attestation.base import NoCertificate, check_same_id
from aiodps.errors import (
    ConfigurationError,
    ProvisioningError,
    SymmetricKeyError,
)
from aiodps.input_files.formats import in_bytes, recognize
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read, warn_if_others_may_read
from aiodps.protocol import sas
from aiodps.protocol.identifiers import check_registration_id

Sign: TypeAlias = Callable[[bytes], bytes | Awaitable[bytes]]
"""Returns the HMAC-SHA256 of bytes, at once or as a coroutine, with a key it does not reveal."""

T = TypeVar("T")

_GIVEN = Origin(what="symmetric key", kind=SymmetricKeyError)
_KEY_BYTES = range(16, 65)
"""Source: Microsoft Learn, "Symmetric key attestation": keys have 16 to 64 bytes."""


@final
class SymmetricKey:
    """Symmetric key attestation: of an individual enrollment, or derived from a group's key."""

    __slots__ = ("_registration_id", "_sign")

    def __init__(
        self, *, registration_id: str, key: str | None = None, sign: Sign | None = None
    ) -> None:
        """Give either the key, or a function that signs with it.

        Args:
            registration_id: Registration id of the device.
            key: Primary or secondary key of the device's enrollment, in base64.
            sign: Signs with a key that stays where it is, as in an HSM: takes bytes and returns
                their HMAC-SHA256, or is a coroutine function that does.

        Raises:
            SymmetricKeyError: If the key cannot be used; `reason` says why.
            ConfigurationError: If the registration id is not valid, or not one of both is given.
        """
        check_type(key, str | None, "key")
        check_callable(sign, "sign")
        held = sign if key is None else parse_key(key)
        both = key is not None and sign is not None
        del key
        if held is None or both:
            raise ConfigurationError(
                f"{'both' if both else 'neither'} key and sign were given",
                setting="attestation",
                hint="give key= for a key in memory, or sign= for one in an HSM",
            )

        self._registration_id = check_registration_id(registration_id)
        self._sign = checked(held)

    @classmethod
    def derive(cls, *, group_key: str, registration_id: str) -> Self:
        """Derive the key of a device in an enrollment group.

        The key is derived from the registration id in lower case. A group's key can make the
        token of any device: derive in the factory, and give the device only its own key.

        Args:
            group_key: Primary or secondary key of the enrollment group, in base64.
            registration_id: Registration id of the device.

        Raises:
            SymmetricKeyError: If the group's key cannot be used; `reason` says why.
            ConfigurationError: If the registration id is not valid.
        """
        check_type(group_key, str, "group_key")
        held = parse_key(group_key)
        del group_key
        return cls.member(checked(held), registration_id=registration_id)

    @classmethod
    def member(cls, group_key: HmacKey, *, registration_id: str) -> Self:
        """See `derive`; for many devices of a group, whose key is parsed once."""
        name = check_registration_id(registration_id)
        return cls(registration_id=name, sign=group_key.derive(name))

    def __repr__(self) -> str:
        """Return the registration id, never the key."""
        return f"<SymmetricKey {self._registration_id!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the key, for process pools; a `sign` function has to allow it."""
        return _revive, (self._registration_id, self._sign)

    @property
    def registration_id(self) -> str:
        """The registration id that was given."""
        return self._registration_id

    def tls_identity(self) -> NoCertificate:
        """Return that the device presents no certificate."""
        return NoCertificate()

    async def authorization(self, audience: str, *, expires: int) -> str:
        """Return a new SAS token; see `Attestation.authorization`.

        Raises:
            SymmetricKeyError: "sign", if the function failed, or returned something else.
        """
        return await signed_token(self._sign, audience, expires=expires)

    def check(self, *, registration_id: str, wall_time: float) -> None:  # noqa: ARG002 (the protocol's)
        """Check that the key is for this registration id.

        Raises:
            IdentityMismatchError: If it is for another one.
        """
        own = self._registration_id
        check_same_id("symmetric key", own, registration_id, reason="symmetric_key")


def _revive(registration_id: str, sign: Sign) -> SymmetricKey:
    return SymmetricKey(registration_id=registration_id, sign=sign)


@final
@dataclass(frozen=True, slots=True)
class HmacKey:
    """A key in memory, which is a `Sign`. Only `text` and pickling reveal it."""

    _key: bytes = field(repr=False)

    def __call__(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes."""
        return hmac.digest(self._key, data, hashlib.sha256)

    def derive(self, registration_id: str) -> HmacKey:
        """Return the key of a device in the group whose key this is."""
        return HmacKey(sas.derive_key(self._key, registration_id))

    def text(self) -> str:
        """Return the key in base64: a secret."""
        return base64.b64encode(self._key).decode()


def read_key(path: Path) -> HmacKey:
    """Read a file that contains a key in base64; warn if other users can read it.

    Raises:
        SymmetricKeyError: If the file cannot be read, or is not a key; `reason` says why.
    """
    origin = Origin.file(path, what="symmetric key file", kind=SymmetricKeyError)
    held = parse_key(read(origin), origin)
    warn_if_others_may_read(path)
    return checked(held)


def parse_key(data: str | bytes, origin: Origin = _GIVEN) -> HmacKey | ProvisioningError:
    """Decode a key from base64; an error is returned, for `checked` to raise."""
    text = data.encode() if isinstance(data, str) else data.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        return origin.error("is empty", reason="empty")

    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return _not_base64(text, origin)

    if len(key) in _KEY_BYTES:
        return HmacKey(key)

    reason = "too_short" if len(key) < _KEY_BYTES.start else "too_long"
    return origin.error(f"has {len(key)} bytes; keys have 16 to 64", reason=reason)


def _not_base64(text: bytes, origin: Origin) -> ProvisioningError:
    encoding, found = in_bytes(text), recognize(text)
    if encoding is not None:
        return origin.error(f"is encoded in {encoding}", reason="utf16", hint="save it as ASCII")

    fault = "is not base64" if found is None else f"is {found.name}, not base64"
    return origin.error(fault, reason="bad_base64")


def checked(key: T | ProvisioningError) -> T:
    """Return a key, or raise the error of `parse_key`."""
    if isinstance(key, ProvisioningError):
        raise key

    return key


async def signed_token(sign: Sign, audience: str, *, expires: int) -> str:
    """Return a SAS token with a signature of `sign`.

    Raises:
        SymmetricKeyError: "sign", if it failed, or returned something else.
    """
    try:
        signing = sign(sas.text_to_sign(audience, expires=expires))
        signature: object = await signing if inspect.isawaitable(signing) else signing
    except ProvisioningError:
        raise
    except Exception as exc:
        raise SymmetricKeyError(
            f"the function that signs failed ({type(exc).__name__})",
            reason="sign",
            hint="see `__cause__` for its own error",
        ) from exc

    if isinstance(signature, bytes) and len(signature) == sas.SIGNATURE_BYTES:
        return sas.token(audience, expires=expires, signature=signature)

    raise SymmetricKeyError(
        f"the function that signs returned {_kind(signature)}",
        reason="sign",
        hint="it has to return the 32 bytes of an HMAC-SHA256, not encoded",
    )


def _kind(signature: object) -> str:
    return f"{len(signature)} bytes" if isinstance(signature, bytes) else type(signature).__name__
