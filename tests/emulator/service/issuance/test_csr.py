"""CSRs of devices: what is read, and what is refused."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests.certificates import rsa_key
from tests.emulator.service.issuance.requests import csr, device_key, request_der

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.issuance.csr import MAX_CSR, read_csr

GOOD = csr()
DER = base64.b64decode(GOOD)
LONG = "d" * 65


def encoded(der: bytes) -> str:
    """Write base64, as devices do."""
    return base64.b64encode(der).decode()


PEM = f"-----BEGIN CERTIFICATE REQUEST-----\n{GOOD}\n-----END CERTIFICATE REQUEST-----\n"
NOT_DESERIALIZED = {
    "a number": 1,
    "empty": "",
    "not base64": "MIIB!",
    "lines": f"{GOOD[:64]}\n{GOOD[64:]}",
    "PEM": PEM,
    "base64 of PEM": encoded(PEM.encode()),
    "cut": encoded(DER[:-9]),
    "followed by more": encoded(DER + b"\0"),
    "a key": encoded(b"\x30\x03\x02\x01\x01"),
}
BAD = {
    "longer than the limit": GOOD.ljust(MAX_CSR + 1, "A"),
    "another device": csr("device-2"),
    "no CN": encoded(request_der(key=device_key())),
    "two CNs": encoded(request_der("device-1", "device-1", key=device_key())),
    "its signature is another's": encoded(DER[:-1] + bytes((DER[-1] ^ 1,))),
}


@pytest.mark.parametrize("registration_id", ["device-1", "Device-1"])
def test_a_csr(registration_id: str) -> None:
    """Its CN is the registration id, in any casing."""
    assert (
        read_csr(GOOD, registration_id=registration_id).public_key() == device_key().public_key()
    )


@pytest.mark.parametrize(
    ("key", "certified"),
    [
        (lambda: rsa_key(2048), True),
        (lambda: ec.generate_private_key(ec.SECP384R1()), True),
        (lambda: rsa_key(1024), False),
        (lambda: ec.generate_private_key(ec.SECP256K1()), False),
        (ed25519.Ed25519PrivateKey.generate, False),
    ],
    ids=["RSA", "P-384", "weak RSA", "a curve of another kind", "Ed25519"],
)
def test_kinds_of_keys(key: Callable[[], Any], *, certified: bool) -> None:
    """RSA and the curves of NIST are certified."""
    text = encoded(request_der("device-1", key=key()))
    with contextlib.nullcontext() if certified else pytest.raises(Refusal):
        read_csr(text, registration_id="device-1")


@pytest.mark.parametrize("text", NOT_DESERIALIZED.values(), ids=NOT_DESERIALIZED)
def test_not_base64_of_der(text: object) -> None:
    """It is not deserialized, as was seen on the wire."""
    with pytest.raises(Refusal, match="Deserialization error") as refused:
        read_csr(text, registration_id="device-1")

    assert refused.value.code == 400012


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_not_the_csr_of_the_device(text: str) -> None:
    """Each has its reason in the request log."""
    with pytest.raises(Refusal) as refused:
        read_csr(text, registration_id="device-1")

    assert refused.value.code == 400004
    assert (refused.value.why or "").startswith("the csr ")


def test_a_letter_that_only_looks_alike() -> None:
    """The Kelvin sign is a k in lower case."""
    with pytest.raises(Refusal):
        read_csr(csr("\u212aettle"), registration_id="kettle")


def test_a_registration_id_that_is_too_long_for_a_cn() -> None:
    """Such a device gets no certificate, whatever its CSR says."""
    with pytest.raises(Refusal) as refused:
        read_csr(encoded(request_der(LONG, key=device_key())), registration_id=LONG)

    assert refused.value.code == 400004
