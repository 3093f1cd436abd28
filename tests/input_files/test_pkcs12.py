"""PKCS#12 bundles, with and without a password."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import intermediate

from aiodps.errors import CertificateError, PrivateKeyError
from aiodps.input_files.origin import Origin
from aiodps.input_files.pkcs12 import is_bundle, open_bundle

ORIGIN = Origin.file("d.pfx", what="certificate file", kind=CertificateError)
DEVICE = intermediate().device("device-1")


def bundle(password: bytes | None) -> bytes:
    """Make a bundle."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(
        b"device", DEVICE.private_key, DEVICE.certificate, DEVICE.intermediates, encryption
    )


OPEN, LOCKED = bundle(None), bundle(b"secret")


@pytest.mark.parametrize(("data", "password"), [(OPEN, None), (LOCKED, "secret")])
def test_content(data: bytes, password: str | None) -> None:
    """Certificates, the key's own first, and the key."""
    assert is_bundle(data)
    found = open_bundle(data, password, ORIGIN)

    assert found.certificates == [DEVICE.certificate, *DEVICE.intermediates]
    assert found.private_key is not None
    assert found.private_key.public_key() == DEVICE.private_key.public_key()


@pytest.mark.parametrize(
    ("password", "reason"), [(None, "password_missing"), (b"wrong", "wrong_password")]
)
def test_passwords(password: bytes | None, reason: str) -> None:
    """Missing and wrong ones."""
    with pytest.raises(PrivateKeyError, match=r"'d.pfx' is .*PKCS#12 bundle") as caught:
        open_bundle(LOCKED, password, ORIGIN)

    assert caught.value.reason == reason


@pytest.mark.parametrize("data", [b"", b"junk", DEVICE.certificate_pem, LOCKED[:-1]])
def test_what_is_not_a_bundle(data: bytes) -> None:
    """Also one that is cut off, so that nobody looks for the fault in its password."""
    assert not is_bundle(data)


@settings(max_examples=30)
@given(st.integers(0, len(OPEN) - 1), st.integers(0, 255))
def test_damaged_bundles(place: int, byte: int) -> None:
    """They end in an error of ours, and nothing else."""
    data = OPEN[:place] + bytes([byte]) + OPEN[place + 1 :]
    if is_bundle(data):
        with contextlib.suppress(PrivateKeyError):
            open_bundle(data, None, ORIGIN)
