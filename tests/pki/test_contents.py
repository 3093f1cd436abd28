"""Reading whatever lies in a file."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st
from tests import certificates
from tests.foreign_files import padded_key

from aiodps.errors import CertificateError
from aiodps.pki.contents import Key, Other, load

KEY = ec.generate_private_key(ec.SECP256R1())
REQUEST = (
    x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
)
ENCODINGS = pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])


@ENCODINGS
def test_certificates_and_requests(encoding: Encoding) -> None:
    """Both come in PEM and in DER."""
    certificate = certificates.root().certificate

    assert load(certificate.public_bytes(encoding)) == [certificate]
    assert load(REQUEST.public_bytes(encoding)) == [REQUEST]


@ENCODINGS
def test_keys(encoding: Encoding) -> None:
    """A private key is known by its public half alone, an encrypted one not even by that."""
    plain = KEY.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    locked = KEY.private_bytes(encoding, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    public = KEY.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    assert load(plain) == [Key("private key", KEY.public_key(), encrypted=False)]
    assert load(locked) == [Key("private key", None, encrypted=True)]
    assert load(public) == [Key("public key", KEY.public_key(), encrypted=None)]


@pytest.mark.parametrize("password", [None, b"x"], ids=["plain", "encrypted"])
def test_traditional_keys(password: bytes | None) -> None:
    """`openssl ecparam -genkey` writes the curve first, and encrypts in an older way."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)
    curve = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    parameters, key = load(curve + pem)

    assert parameters == Other("ec parameters")
    assert isinstance(key, Key)
    assert key.encrypted is (password is not None)


def test_text_around_blocks_is_no_matter() -> None:
    """OpenSSL writes bag attributes and whole dumps around PEM."""
    chain = certificates.intermediate().chain_pem.replace(
        b"-----BEGIN", b"Bag Attributes\n  friendlyName: x\n-----BEGIN"
    )

    assert load(chain) == [certificates.intermediate().certificate]


PEM = certificates.root().certificate_pem


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not_pem"),
        (PEM.decode().encode("utf-16"), "utf16"),
        (PEM[:200], "truncated"),
        (PEM + PEM[:200], "truncated"),
        (PEM[:100] + b"!" + PEM[101:], "bad_base64"),
        (PEM.replace(b"CERTIFICATE", b"PUBLIC KEY"), "bad_base64"),
    ],
    ids=["empty", "blank", "text", "utf16", "cut", "cut later", "base64", "label"],
)
def test_unreadable_files(data: bytes, reason: str) -> None:
    """What cannot be read is never passed over in silence."""
    with pytest.raises(CertificateError) as caught:
        load(data)

    assert caught.value.reason == reason
    assert caught.value.hint


@pytest.mark.parametrize("password", [None, b"x"])
def test_bundles(password: bytes | None) -> None:
    """PKCS#12 is opened if it has no password, and named if it has one."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    root = certificates.root().certificate
    data = pkcs12.serialize_key_and_certificates(b"x", KEY, None, [root], encryption)
    things = load(data)

    if password is None:
        assert things[0] == root
        assert isinstance(things[1], Key)
    else:
        assert isinstance(things[0], Other)
        assert things[0].kind == "PKCS#12 bundle (.pfx)"
        assert "openssl pkcs12 -in FILE" in str(things[0].next_step)


def test_keys_of_other_programs() -> None:
    """What a TPM or OpenSSH holds is named, beside the certificates that can be shown."""
    tpm = b"-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n"
    certificate, key = load(PEM + tpm)

    assert certificate == certificates.root().certificate
    assert isinstance(key, Other)
    assert "TPM" not in key.kind  # the label in the file
    assert "tpm2" in str(key.next_step)


def test_keys_that_only_openssl_reads() -> None:
    """They are keys, of a type that is unknown here."""
    device = certificates.root().device("d")

    assert load(padded_key(device)) == [Key("private key", None, encrypted=False)]


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda junk: PEM + junk + PEM))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are read, or refused with our own error."""
    try:
        things = load(data)
    except CertificateError:
        return

    assert things
