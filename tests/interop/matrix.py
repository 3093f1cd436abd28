"""The devices that every client provisions: each way in, and each way of being refused.

Each device has a registration id of its own, so one emulator knows them all at once.
"""

from __future__ import annotations

import base64
import enum
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from tests.certificates import (
    certify,
    intermediate,
    missing_intermediate,
    root,
    rsa_key,
    self_signed,
    unknown_root,
)

from aiodps.pki import Authority, Credential

GROUP_KEY: Final = base64.b64encode(bytes(range(64))).decode()
DEVICE_KEY: Final = base64.b64encode(bytes(range(100, 164))).decode()
OTHER_KEY: Final = base64.b64encode(b"the key of another device".ljust(64)).decode()


class Refusal(enum.Enum):
    """Why a device is not let in."""

    UNAUTHORIZED = enum.auto()
    """It did not prove who it is, or nobody knows it."""
    DISABLED = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device, and what becomes of it."""

    name: str
    """Its registration id; says what is special about it."""
    shows: Credential | str = field(repr=False)
    """What it proves itself with: a certificate with its intermediates, or a symmetric key."""
    enrollment: dict[str, Any] | None = field(default=None, repr=False)
    """Its individual enrollment; None if a group lets it in, or nothing."""
    refusal: Refusal | None = None
    """Why it is refused; None if it is assigned."""

    @property
    def device_id(self) -> str:
        """Its id at the hub."""
        return self.name if self.enrollment is None else f"{self.name}-at-hub"


@cache
def devices() -> Mapping[str, Device]:
    """Make all devices of the matrix."""
    return {name: make(name) for name, make in _DEVICES.items()}


def enrollments() -> list[dict[str, Any]]:
    """Return the individual enrollments."""
    return [device.enrollment for device in devices().values() if device.enrollment is not None]


def groups() -> list[dict[str, Any]]:
    """Return the enrollment groups."""
    return [
        _group("root", root()),
        _group("intermediate", _line()),
        _group("disabled", disabled_root(), provisioningStatus="disabled"),
        {"enrollmentGroupId": "keys", "attestation": _symmetric(GROUP_KEY)},
    ]


@cache
def disabled_root() -> Authority:
    """The CA of a group that is disabled."""
    return Authority.root("disabled root")


@cache
def _line() -> Authority:
    """An intermediate that has a group of its own."""
    return root().intermediate("line 4")


def _group(name: str, ca: Authority, **more: Any) -> dict[str, Any]:
    signing = {"signingCertificates": {"primary": {"certificate": ca.certificate_pem.decode()}}}
    return {"enrollmentGroupId": name, "attestation": {"type": "x509", "x509": signing}, **more}


def _enrolled(
    name: str,
    knows: Credential | str,
    *,
    shows: Credential | str | None = None,
    refusal: Refusal | None = None,
    **more: Any,
) -> Device:
    """Make a device with an individual enrollment that knows its certificate or key."""
    enrollment = {
        "registrationId": name,
        "deviceId": f"{name}-at-hub",
        "attestation": _symmetric(knows) if isinstance(knows, str) else _certificate(knows),
        **more,
    }
    return Device(name=name, shows=shows or knows, enrollment=enrollment, refusal=refusal)


def _disabled(name: str, knows: Credential | str) -> Device:
    return _enrolled(name, knows, refusal=Refusal.DISABLED, provisioningStatus="disabled")


def _stranger(name: str, shows: Credential | str) -> Device:
    return Device(name=name, shows=shows, refusal=Refusal.UNAUTHORIZED)


def _symmetric(key: str) -> dict[str, Any]:
    return {"type": "symmetricKey", "symmetricKey": {"primaryKey": key, "secondaryKey": OTHER_KEY}}


def _certificate(credential: Credential) -> dict[str, Any]:
    primary = {"certificate": credential.certificate_pem.decode()}
    return {"type": "x509", "x509": {"clientCertificates": {"primary": primary}}}


def _derived(registration_id: str) -> str:
    """Derive a device's key from its group's."""
    digest = hmac.digest(base64.b64decode(GROUP_KEY), registration_id.encode(), "sha256")
    return base64.b64encode(digest).decode()


def _alone(name: str, kind: str) -> Credential:
    return certify(name, key=_key(kind), self_signed=True)


def _below(ca: Authority, name: str, kind: str) -> Credential:
    return ca.device(name, private_key=_key(kind))


def _key(kind: str) -> Any:
    """Make a key; of RSA there is one for all, which nobody minds."""
    return rsa_key(2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


_DEVICES: Final[Mapping[str, Callable[[str], Device]]] = {
    # Individual enrollments
    "ec-leaf-individual": lambda name: _enrolled(name, _alone(name, "ec")),
    "rsa-leaf-individual": lambda name: _enrolled(name, _alone(name, "rsa")),
    "ec-chain-individual": lambda name: _enrolled(name, _below(intermediate(), name, "ec")),
    "rsa-chain-individual": lambda name: _enrolled(name, _below(intermediate(), name, "rsa")),
    # Groups: by root, by intermediate
    "ec-leaf-group": lambda name: Device(name=name, shows=_below(root(), name, "ec")),
    "rsa-leaf-group": lambda name: Device(name=name, shows=_below(root(), name, "rsa")),
    "ec-chain-group": lambda name: Device(name=name, shows=_below(intermediate(), name, "ec")),
    "rsa-chain-group": lambda name: Device(name=name, shows=_below(intermediate(), name, "rsa")),
    "ec-chain-line": lambda name: Device(name=name, shows=_below(_line(), name, "ec")),
    # Symmetric keys
    "key-individual": lambda name: _enrolled(name, DEVICE_KEY),
    "key-secondary": lambda name: _enrolled(name, DEVICE_KEY, shows=OTHER_KEY),
    "key-derived": lambda name: Device(name=name, shows=_derived(name)),
    # Refused
    "x509-no-enrollment": lambda name: _stranger(name, unknown_root(name)),
    "x509-no-chain": lambda name: _stranger(name, missing_intermediate(name)),
    "x509-other-name": lambda name: _stranger(name, root().device("somebody-else")),
    "x509-other-key": lambda name: _enrolled(
        name, self_signed(name), shows=self_signed(name), refusal=Refusal.UNAUTHORIZED
    ),
    "x509-disabled": lambda name: _disabled(name, root().device(name)),
    "x509-disabled-group": lambda name: Device(
        name=name, shows=disabled_root().device(name), refusal=Refusal.DISABLED
    ),
    "key-no-enrollment": lambda name: _stranger(name, DEVICE_KEY),
    "key-of-another": lambda name: _enrolled(
        name, DEVICE_KEY, shows=_derived("another"), refusal=Refusal.UNAUTHORIZED
    ),
    "key-of-the-group": lambda name: _stranger(name, GROUP_KEY),
    "key-disabled": lambda name: _disabled(name, DEVICE_KEY),
}

NAMES: Final = tuple(_DEVICES)
