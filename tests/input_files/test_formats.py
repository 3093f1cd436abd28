"""What a file is, is told by its content, with the one command that converts it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st
from tests import certificates as kit

from aiodps.errors import CertificateError
from aiodps.input_files import formats
from aiodps.input_files.formats import Format, recognize, unexpected
from aiodps.input_files.origin import Origin

ORIGIN = Origin.file("dir/d v.x", what="certificate file", kind=CertificateError)
EC = ec.generate_private_key(ec.SECP256R1())
RSA = kit.rsa_key(2048)
LEAF = kit.root().certificate
DER, PEM = Encoding.DER, Encoding.PEM
REQUEST = (
    x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(EC, hashes.SHA256())
)
CRL = (
    x509.CertificateRevocationListBuilder()
    .issuer_name(LEAF.subject)
    .last_update(LEAF.not_valid_before_utc)
    .next_update(LEAF.not_valid_after_utc)
    .sign(kit.root().private_key, hashes.SHA256())
)


def key(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    encoding: Encoding,
    form: PrivateFormat = PrivateFormat.PKCS8,
    password: bytes | None = None,
) -> bytes:
    """Encode a private key."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return private.private_bytes(encoding, form, encryption)


def public(encoding: Encoding, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    """Encode a public key."""
    return RSA.public_key().public_bytes(encoding, form)


OLD, SSH = PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
BUNDLE = pkcs12.serialize_key_and_certificates(
    b"x", EC, None, [LEAF], BestAvailableEncryption(b"x")
)

KNOWN = [
    (LEAF.public_bytes(PEM), formats.CERTIFICATE),
    (LEAF.public_bytes(DER), formats.CERTIFICATE),
    (REQUEST.public_bytes(PEM), formats.REQUEST),
    (REQUEST.public_bytes(DER), formats.REQUEST),
    (CRL.public_bytes(DER), formats.CRL),
    (CRL.public_bytes(PEM), formats.CRL),
    (pkcs7.serialize_certificates([LEAF], PEM), formats.PKCS7),
    (pkcs7.serialize_certificates([LEAF], DER), formats.PKCS7_DER),
    (BUNDLE, formats.PKCS12),
    (BUNDLE[:200], formats.PKCS12),
    (key(EC, PEM), formats.PRIVATE_KEY),
    (key(EC, DER), formats.PRIVATE_KEY),
    (key(EC, DER, OLD), formats.PRIVATE_KEY),
    (key(RSA, DER, OLD), formats.PRIVATE_KEY),
    (key(EC, DER, password=b"x"), formats.ENCRYPTED_KEY),
    (key(EC, PEM, password=b"x"), formats.ENCRYPTED_KEY),
    (key(EC, PEM, SSH), formats.OPENSSH),
    (public(PEM), formats.PUBLIC_KEY),
    (public(DER), formats.PUBLIC_KEY),
    (public(DER, PublicFormat.PKCS1), formats.PUBLIC_KEY),
    (public(Encoding.OpenSSH, PublicFormat.OpenSSH), formats.OPENSSH_PUBLIC),
    (b"-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n", formats.TSS2),
    (b"-----BEGIN PKCS#11 PROVIDER URI-----\nAAAA\n", formats.KEY_REFERENCE),
    (bytes.fromhex("3012 0606 678105010a01 a003020101 0201000400"), formats.TSS2),
    (b"\xfe\xed\xfe\xed\0\0\0\x02", formats.JKS),
    (b"PuTTY-User-Key-File-3: ssh-ed25519\n", formats.PUTTY),
    (base64.b64encode(LEAF.public_bytes(DER)), formats.BASE64),
    (key(EC, PEM).replace(b"\n", b"\\n"), formats.ESCAPED),
    (b"Certificate:\n    Data:\n", formats.PRINTED),
    (b'{"kty": "EC", "d": "x"}', formats.JWK),
    (b"<!DOCTYPE html>", formats.HTML),
    (b"PK\x03\x04", formats.ZIP),
    (b"\x1f\x8b\x08", formats.GZIP),
]


@pytest.mark.parametrize(("data", "known"), KNOWN)
def test_known_formats(data: bytes, known: Format) -> None:
    """Whatever the name of the file says."""
    assert recognize(data) == known
    assert recognize(b"\xef\xbb\xbf" + data) in {known, None}


@pytest.mark.parametrize("known", [each for _, each in KNOWN])
def test_the_advice_names_the_file(known: Format) -> None:
    """It can be pasted into a shell: names are quoted, and no file is overwritten."""
    advice = formats.advice(known.advice, ORIGIN)

    assert "{" not in advice
    if "{file}" in known.advice:
        assert "'dir/d v.x'" in advice

    same = Origin.file("dir/d.pem", what="x", kind="x")
    assert formats.advice("{file} {new}", same) == "dir/d.pem dir/d_new.pem"
    assert formats.advice("{file} {new}", Origin(what="x", kind="x")) == "FILE NEW.pem"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BUNDLE, "contains a PKCS#12 bundle (.pfx), not a list"),
        (BUNDLE[:200], "is truncated: a PKCS#12 bundle"),
        (b"", "is empty"),
        (b"junk", "neither PEM nor DER"),
        (b"\x30\x03\x02\x01\x01", "contains DER that is not a list"),
        ("Bag Attributes".encode("utf-16-le"), "is encoded in UTF-16LE"),
        (b"-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----", "'ec parameters'"),
    ],
)
def test_what_it_is_instead(data: bytes, says: str) -> None:
    """The message says what a file is, not only what it is not."""
    error = unexpected(data, ORIGIN, wanted="a list")

    assert isinstance(error, CertificateError)
    assert says in error.message
    assert str(Path("dir/d v.x")) in error.message
    assert error.hint


@given(st.binary(max_size=200) | st.binary(max_size=30).map(lambda junk: b"\x30\x82" + junk))
def test_any_bytes(data: bytes) -> None:
    """Nothing makes it fail."""
    recognize(data)
    assert unexpected(data, ORIGIN, wanted="x").message
