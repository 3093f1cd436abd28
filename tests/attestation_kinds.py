"""Every kind of attestation, as rows for tests that hold for all of them: a new kind is a row."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.certificates import other_root, root
from tests.emulated import QUICK, attestation
from tests.software_tpms import software_tpm
from tests.tokens import PIN, in_token

from aiodps import KeySpec, ProvisioningClient, RetryPolicy, SymmetricKey, Tpm, errors
from aiodps.attestation.base import Attestation
from aiodps.network.proxy import Proxy
from aiodps.pki import Credential
from aiodps.testing import RunningEmulator

Way: TypeAlias = Literal["individual", "group"]


POLICY: Final = {
    "namespaceName": "factory",
    "certificateAuthorityName": "line-4",
    "certificatePolicyName": "thirty-days",
}
"""Has an enrollment issue certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A device, and what its enrollment says of it."""

    mechanism: dict[str, Any]
    """The `attestation` of its enrollment or group."""
    right: Attestation
    wrong: Attestation
    """The same device with a credential that the enrollment does not have."""
    secrets: dict[str, bytes] = field(default_factory=dict)
    """What must never be shown, by what it is."""
    issue: KeySpec | None = None
    """The key of the certificate that it asks for; None if it asks for none."""

    def enrollment(self, name: str, way: Way, **members: Any) -> dict[str, Any]:
        """Write the enrollment of the device, or of its group."""
        member = "registrationId" if way == "individual" else "enrollmentGroupId"
        policy = {} if self.issue is None else POLICY
        return {member: name, "attestation": self.mechanism, **policy, **members}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of attestation."""

    make: Callable[[str, Way], Made]
    """Makes a device by its registration id."""
    codes: dict[str, int] = field(default_factory=lambda: {"rest": 401002, "mqtt": 401002})
    """The error code of a refusal, by transport; one that is missing is not supported."""
    ways: tuple[Way, ...] = ("individual", "group")
    unknown: tuple[type[errors.ServiceError], int] | None = None
    """Class and code for a device that nobody has enrolled; None for those of a wrong one."""
    registers: int = 1
    """Register requests of a device that is let in."""
    marks: tuple[pytest.MarkDecorator, ...] = ()
    """Of its rows; empty if they run anywhere."""


def _x509(
    name: str, way: Way, *, present: Callable[[Credential], Attestation] = attestation
) -> Made:
    ca = root().intermediate(f"ca of {name}")
    device, wrong = ca.device(name), other_root().device(name)
    enrolled: tuple[str, Credential] = (
        ("clientCertificates", device) if way == "individual" else ("signingCertificates", ca)
    )
    member, credential = enrolled
    primary = {"certificate": credential.certificate_pem.decode()}
    lines = device.private_key_pem.decode().splitlines()[1:-1]
    return Made(
        mechanism={"type": "x509", "x509": {member: {"primary": primary}}},
        right=present(device),
        wrong=present(wrong),
        secrets={"private key": base64.b64decode("".join(lines)), "PIN": PIN.encode()},
    )


def new_key() -> str:
    """Make a symmetric key."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


def keys(primary: str, secondary: str | None = None) -> dict[str, Any]:
    """Write the mechanism of an enrollment with symmetric keys."""
    pair = {"primaryKey": primary, "secondaryKey": secondary or new_key()}
    return {"type": "symmetricKey", "symmetricKey": pair}


def _symmetric_key(name: str, way: Way) -> Made:
    key = new_key()
    raw = base64.b64decode(key)
    own = SymmetricKey(registration_id=name, key=key)
    if way == "individual":
        other = SymmetricKey(registration_id=name, key=new_key())
        return Made(mechanism=keys(key), right=own, wrong=other, secrets={"key": raw})

    return Made(
        mechanism=keys(key),
        right=SymmetricKey.derive(group_key=key, registration_id=name),
        wrong=own,  # the group's key in place of the derived one
        secrets={
            "group key": raw,
            "derived key": hmac.digest(raw, name.encode(), hashlib.sha256),
        },
    )


def _hsm(name: str, way: Way) -> Made:
    """Make a device whose key is in an HSM, which takes its time."""
    key = new_key()
    raw = base64.b64decode(key)
    own = raw if way == "individual" else hmac.digest(raw, name.encode(), hashlib.sha256)

    async def sign(data: bytes) -> bytes:
        await anyio.lowlevel.checkpoint()
        return hmac.digest(own, data, hashlib.sha256)

    def sign_wrongly(data: bytes) -> bytes:
        return hmac.digest(b"wrong", data, hashlib.sha256)

    return Made(
        mechanism=keys(key),
        right=SymmetricKey(registration_id=name, sign=sign),
        wrong=SymmetricKey(registration_id=name, sign=sign_wrongly),
        secrets={"key in the HSM": own},
    )


class _OpenTpm:
    """A TPM that tells the test which keys it was given."""

    def __init__(self) -> None:
        self._tpm = software_tpm()
        self.endorsement_key = self._tpm.endorsement_key
        self.storage_root_key = self._tpm.storage_root_key
        self.keys: dict[str, bytes] = {}

    async def activate(self, challenge: bytes) -> None:
        """Import a key."""
        await self._tpm.activate(challenge)
        self.keys[f"key {len(self.keys)} of the TPM"] = self._tpm._key or b""

    async def sign(self, data: bytes) -> bytes:
        """Sign with it."""
        return await self._tpm.sign(data)


def _tpm(name: str, _: Way) -> Made:
    tpm = _OpenTpm()
    keys = {"endorsementKey": base64.b64encode(tpm.endorsement_key).decode()}
    return Made(
        mechanism={"type": "tpm", "tpm": keys},
        right=Tpm(tpm, registration_id=name),
        wrong=Tpm(software_tpm("other"), registration_id=name),
        secrets=tpm.keys,
    )


@dataclass(frozen=True, slots=True)
class KnownKey(KeySpec):
    """A key that a test knows."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    async def generate(self) -> ec.EllipticCurvePrivateKey:
        """Return it."""
        return self.key


def issued(make: Callable[[str, Way], Made]) -> Callable[[str, Way], Made]:
    """Make devices of a kind that ask for a certificate as well."""

    def made(name: str, way: Way) -> Made:
        known = KnownKey()
        number = known.key.private_numbers().private_value
        secret = {"issued key": number.to_bytes(32, "big")}
        device = make(name, way)
        return replace(device, issue=known, secrets=device.secrets | secret)

    return made


KEY_CODES: Final = {"rest": 401002, "mqtt": 401000}
_OWN: Final = {
    "X.509": Kind(make=_x509),
    "X.509 in a token": Kind(make=partial(_x509, present=in_token), marks=(pytest.mark.pkcs11,)),
    "symmetric key": Kind(make=_symmetric_key, codes=KEY_CODES),
    "key in an HSM": Kind(make=_hsm, codes=KEY_CODES),
    "TPM": Kind(
        make=_tpm,
        codes={"rest": 401002},
        ways=("individual",),
        unknown=(errors.NotFoundError, 404201),
        registers=2,
    ),
}
_ISSUED: Final = {
    f"{name}, issued a certificate": replace(_OWN[name], make=issued(_OWN[name].make))
    for name in ("X.509", "symmetric key")
}
KINDS: Final = _OWN | _ISSUED


def client_of(
    dps: RunningEmulator,
    transport: str,
    *,
    retry: RetryPolicy = QUICK,
    proxy: Proxy | None = None,
) -> ProvisioningClient:
    """Make a client of an emulator in a thread."""
    return ProvisioningClient(
        id_scope=dps.id_scope,
        endpoint=dps.host,
        port=dps.https_port if transport == "rest" else dps.mqtt_port,
        transport=transport,
        proxy=proxy,
        trust=dps.ca_pem,
        retry=retry,
    )
