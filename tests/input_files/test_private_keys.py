"""Bytes to a private key: any bytes give one, or an error with a reason."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import root, rsa_key
from tests.foreign_files import PKCS12_ENCRYPTED_KEY, padded_key

from aiodps.errors import PrivateKeyError
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import blocks
from aiodps.input_files.private_keys import find_key, resolve_password

ORIGIN = Origin.file("d.key", what="private key file", kind=PrivateKeyError)
DEVICE = root().device("device-1")
PEM = DEVICE.chain_pem
KEY = DEVICE.private_key_pem
PKCS8, OLD = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def test_a_key_after_a_certificate() -> None:
    """A key is found behind certificates, and behind the parameters of its curve."""
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = find_key(PEM + parameters + KEY, ORIGIN).open(None)

    assert key.public_key() == DEVICE.private_key.public_key()


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PKCS8, OLD])
@pytest.mark.parametrize("key", [DEVICE.private_key, rsa_key(2048)])
def test_forms(encoding: Encoding, form: PrivateFormat, key: object) -> None:
    """PKCS#8 and the older forms, in both encodings."""
    data = key.private_bytes(encoding, form, NoEncryption())  # type: ignore[attr-defined]  # both have it
    found = find_key(data, ORIGIN)

    assert not found.encrypted
    assert found.open(b"a needless password").public_key() == key.public_key()  # type: ignore[attr-defined]  # idem


@pytest.mark.parametrize("name", ["d", "dmp1", "dmq1", "iqmp"])
def test_numbers_of_an_rsa_key_that_do_not_belong_together(name: str) -> None:
    """A damaged RSA key is told before anything is sent, without the test for primes."""
    numbers = rsa_key(2048).private_numbers()
    own = {each: getattr(numbers, each) for each in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    own[name] += 2
    damaged = rsa.RSAPrivateNumbers(**own, public_numbers=numbers.public_numbers).private_key(
        unsafe_skip_rsa_key_validation=True
    )
    data = damaged.private_bytes(Encoding.PEM, PKCS8, NoEncryption())

    with pytest.raises(PrivateKeyError, match="no valid private key"):
        find_key(data, ORIGIN).open(None)


ENCRYPTED = DEVICE.private_key.private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(b"x"))


@pytest.mark.parametrize("pem", [ENCRYPTED, PKCS12_ENCRYPTED_KEY])
@pytest.mark.parametrize("der", [False, True])
def test_encrypted(pem: bytes, *, der: bool) -> None:
    """With today's encryption, and with that of PKCS#12."""
    data = blocks(pem, ORIGIN)[0].der(ORIGIN) if der else pem
    found = find_key(data, ORIGIN)

    assert found.encrypted
    assert found.open(b"x").key_size == 256  # type: ignore[union-attr]  # an EC key
    for password, reason in ((None, "password_missing"), (b"y", "wrong_password")):
        with pytest.raises(PrivateKeyError) as caught:
            found.open(password)

        assert caught.value.reason == reason


def test_the_word_encrypted() -> None:
    """It says nothing in the text around a key."""
    assert not find_key(b"# ENCRYPTED backup\n" + KEY, ORIGIN).encrypted


def test_what_only_openssl_reads() -> None:
    """The error has the command that writes it anew."""
    for encoding in (Encoding.PEM, Encoding.DER):
        with pytest.raises(PrivateKeyError) as caught:
            find_key(padded_key(DEVICE, encoding=encoding), ORIGIN).open(None)

        assert "openssl pkey -in d.key -out d.pem" in caught.value.hint


def test_other_formats() -> None:
    """A key in another format says more than the certificate in front of it."""
    ssh = DEVICE.private_key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = DEVICE.private_key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    for data, name, reason in (
        (ssh, "OpenSSH", "not_pem"),
        (public, "a public key", "public_key"),
        (b"", "a certificate", "swapped"),
    ):
        with pytest.raises(PrivateKeyError, match=name) as caught:
            find_key(PEM + data, ORIGIN)

        assert caught.value.reason == reason


@given(
    st.binary(max_size=400)
    | st.builds(
        lambda i, b: KEY[:i] + b + KEY[i + 1 :], st.integers(0, len(KEY)), st.binary(max_size=3)
    )
)
def test_any_bytes(data: bytes) -> None:
    """Damaged keys end in an error of ours, and nothing else."""
    with contextlib.suppress(PrivateKeyError):
        find_key(data, ORIGIN).open(b"x")


@pytest.mark.parametrize("password", ["pässword", "pässword".encode(), lambda: "pässword"])
def test_passwords(password: object) -> None:
    """A string means its UTF-8 bytes."""
    assert resolve_password(password, ORIGIN) == "pässword".encode()  # type: ignore[arg-type]  # one of three
