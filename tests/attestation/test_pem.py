"""Bytes to certificates and keys: any bytes give one of them, or an error with a reason."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import intermediate, root

from aiodps.attestation.pem import load_certificates, load_private_key, resolve_password
from aiodps.errors import CertificateError, PrivateKeyError

PEM = root().device("device-1").chain_pem
KEY = root().device("device-1").private_key_pem


def test_all_certificates_in_their_order() -> None:
    """Every certificate is read, whatever stands between them."""
    pem = (
        b"subject=x\n" + intermediate().certificate_pem + b"\n\n# root\n" + root().certificate_pem
    )

    assert load_certificates(pem, source="it") == [
        intermediate().certificate,
        root().certificate,
    ]


def test_a_key_after_a_certificate() -> None:
    """A key is found behind certificates."""
    key = load_private_key(PEM + KEY, password=None, source="it")

    assert key.key_size == 256  # type: ignore[union-attr]  # an EC key


@given(
    st.binary(max_size=400)
    | st.builds(
        lambda i, b: PEM[:i] + b + PEM[i + 1 :], st.integers(0, len(PEM)), st.binary(max_size=3)
    )
)
def test_any_bytes_as_certificates(data: bytes) -> None:
    """Damaged certificates end in an error of ours, and nothing else."""
    with contextlib.suppress(CertificateError):
        assert load_certificates(data, source="it")


@given(
    st.binary(max_size=400)
    | st.builds(
        lambda i, b: KEY[:i] + b + KEY[i + 1 :], st.integers(0, len(KEY)), st.binary(max_size=3)
    )
)
def test_any_bytes_as_a_key(data: bytes) -> None:
    """Damaged keys end in an error of ours, and nothing else."""
    with contextlib.suppress(PrivateKeyError):
        load_private_key(data, password=b"x", source="it")


@pytest.mark.parametrize("password", ["pässword", "pässword".encode(), lambda: "pässword"])
def test_passwords(password: object) -> None:
    """A text means its UTF-8 bytes."""
    assert resolve_password(password, "it") == "pässword".encode()  # type: ignore[arg-type]  # one of three


def test_a_version_that_does_not_exist() -> None:
    """A certificate of a version that X.509 does not have is unreadable like any other."""
    der = root().certificate.public_bytes(Encoding.DER)
    odd = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    with pytest.raises(CertificateError) as caught:
        load_certificates(odd, source="it")

    assert odd != der
    assert caught.value.reason == "not_pem"
