"""An assignment is taken for the same question only, and what stands for a key reveals none."""

from __future__ import annotations

import base64
import dataclasses
import ssl
from typing import Any

import pytest
from tests.certificates import root
from tests.emulated import attestation
from tests.sas_vectors import C_KEY
from tests.software_tpms import software_tpm

from aiodps import X509, SymmetricKey, Tpm, errors
from aiodps.assignments.cache_key import CacheKey, fingerprint
from aiodps.attestation.base import (
    Attestation,
    ClientCertificate,
    KeyType,
    NoCertificate,
    TlsIdentity,
)

pytestmark = pytest.mark.anyio
OTHER_KEY = base64.b64encode(b"another key of 24 bytes!").decode()
RENEWED, DEVICE = root().device("press-4"), root().device("press-4")


def own(key: str = C_KEY) -> SymmetricKey:
    """Make a device with a symmetric key."""
    return SymmetricKey(registration_id="press-4", key=key)


async def made(*credentials: Attestation, **changes: Any) -> CacheKey:
    """Make a key with some things changed."""
    same: dict[str, Any] = {
        "endpoint": "dps.example",
        "id_scope": "0neABC",
        "registration_id": "press-4",
        "credentials": tuple(enumerate(credentials or [own()])),
        "payload": {"model": "T-1", "size": 2},
    }
    return await CacheKey.of(**{**same, **changes})


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"endpoint": "other.example"}, "endpoint"),
        ({"id_scope": "0neabc"}, "id_scope"),
        ({"registration_id": "press-5"}, "registration_id"),
        ({"payload": None}, "payload"),
        ({"payload": {"model": "T-1", "size": "2"}}, "payload"),
        ({"credentials": [(0, own(OTHER_KEY))]}, "credentials"),
        ({"credentials": [(1, own())]}, "credentials"),
        ({"credentials": [(0, own()), (1, own(OTHER_KEY))]}, "credentials"),
    ],
)
async def test_what_makes_another_key(changes: dict[str, Any], member: str) -> None:
    """One member differs, and no other."""
    one, other = dataclasses.asdict(await made()), dataclasses.asdict(await made(**changes))

    assert {name for name in one if one[name] != other[name]} == {member}


async def test_what_does_not() -> None:
    """Names are the same in any case, and an object is whatever the order of its members."""
    same = {
        "endpoint": "DPS.example",
        "registration_id": "PRESS-4",
        "payload": {"size": 2, "model": "T-1"},
    }

    assert await made(**same) == await made()


@pytest.mark.parametrize("member", ["endpoint", "id_scope", "registration_id"])
async def test_a_device_has_one_file(member: str) -> None:
    """Whatever credential and payload are; another device, scope or endpoint has another."""
    one = await made(registration_id="a:b.")
    credentials = await made(own(OTHER_KEY), registration_id="a:b.", payload=None)
    others = [await made(**{"registration_id": "a_b.", member: "other"})]

    assert one.file_name == credentials.file_name
    assert one.file_name not in {each.file_name for each in others}
    assert one.file_name.startswith("a_b..")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(attestation(DEVICE), attestation(RENEWED), id="certificate"),
        pytest.param(own(), own(OTHER_KEY), id="symmetric key"),
    ],
)
async def test_a_credential_is_recognized(one: Attestation, other: Attestation) -> None:
    """The same by the same, and a renewed one as another."""
    assert await fingerprint(one) == await fingerprint(one)
    assert await fingerprint(one) != await fingerprint(other)


async def test_a_tpm_is_recognized_by_its_endorsement_key() -> None:
    """Before it has any key that it could sign with."""
    one, other = Tpm(software_tpm()), Tpm(software_tpm("other"), registration_id="press-4")

    assert await fingerprint(one) == await fingerprint(Tpm(software_tpm()))
    assert await fingerprint(one) != await fingerprint(other)


async def test_no_key_is_in_it() -> None:
    """Nor a signature that would be good for anything: the digest of one is."""
    signed: list[bytes] = []

    def sign(data: bytes) -> bytes:
        signed.append(data)
        return bytes(range(32))

    found = await fingerprint(SymmetricKey(registration_id="press-4", sign=sign))

    assert signed == [b"aiodps%20assignment%20cache\n0"]
    assert bytes(range(32)).hex() not in found
    assert len(found.removeprefix("token ")) == 64


class Own:
    """An attestation of somebody else's, with a certificate that it does not show, or none."""

    registration_id = "press-4"

    def __init__(self, identity: TlsIdentity) -> None:
        self._identity = identity

    def tls_identity(self) -> TlsIdentity:
        """Return something."""
        return self._identity

    async def authorization(self, audience: str, *, expires: int) -> None:
        """Return none."""

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Find nothing."""


@pytest.mark.parametrize(
    "unknown",
    [
        X509.from_context(ssl.create_default_context()),
        Own(ClientCertificate(KeyType.EC, lambda _: None)),
        Own(NoCertificate()),
    ],
    ids=["context", "own", "nothing"],
)
async def test_a_certificate_that_is_not_shown(unknown: Attestation) -> None:
    """It may have been renewed, so nothing is cached with it."""
    with pytest.raises(errors.ConfigurationError) as refused:
        await fingerprint(unknown)

    assert refused.value.setting == "cache"
