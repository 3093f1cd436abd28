"""A key reaches OpenSSL as it was given, and OpenSSL decides about keys that others refuse."""

from __future__ import annotations

import pickle
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from tests import certificates as kit
from tests.foreign_files import RSA_PSS_CERTIFICATE, RSA_PSS_KEY, padded_key

from aiodps.attestation.base import ClientCertificate, KeyType
from aiodps.attestation.tls_key import TlsKey, load_into
from aiodps.attestation.x509 import X509
from aiodps.errors import PrivateKeyError
from aiodps.input_files.origin import Origin
from aiodps.input_files.private_keys import find_key
from aiodps.pki import PrivateKey

ORIGIN = Origin(what="private key", kind=PrivateKeyError)
DEVICE = kit.intermediate().device("device-1")
OTHERS = (kit.root().certificate, DEVICE.certificate)


def load(identity: X509) -> None:
    """Load an identity into a fresh context, as for a connection."""
    presented = identity.tls_identity()
    assert isinstance(presented, ClientCertificate)
    presented.load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def test_an_open_key_stays_as_it_was() -> None:
    """OpenSSL gets its own bytes, so that nothing is lost on the way."""
    given = find_key(DEVICE.private_key_pem, ORIGIN)
    key = TlsKey.read(given, None)

    assert key.pem(DEVICE.certificate) == given.pem
    assert key.leaf(OTHERS, lambda: "not its key") == DEVICE.certificate
    assert "PRIVATE" not in repr(key)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_keys_of_gnutls(encoding: Encoding) -> None:
    """OpenSSL takes them; it finds the leaf among the certificates."""
    identity = X509.from_bytes(
        certificate=kit.root().certificate_pem + DEVICE.chain_pem,
        private_key=padded_key(DEVICE, encoding=encoding),
    )

    assert identity.chain == (DEVICE.certificate, *DEVICE.intermediates)
    load(identity)
    load(pickle.loads(pickle.dumps(identity)))


def test_what_openssl_refuses_too() -> None:
    """The first refusal is the error, with the command that asks OpenSSL."""
    key = padded_key(DEVICE).replace(b"MH", b"MX")
    with pytest.raises(PrivateKeyError) as caught:
        X509.from_bytes(certificate=DEVICE.chain_pem, private_key=key)

    assert caught.value.reason == "unreadable"
    assert "openssl pkey" in caught.value.hint


def rsa_pss_key() -> PrivateKey:
    """Read the key as `cryptography` does: like any RSA key."""
    key = load_pem_private_key(RSA_PSS_KEY, None)
    assert isinstance(key, PrivateKey)
    return key


def test_rsa_pss() -> None:
    """It stays one, given as it is, encrypted, in DER or in a bundle; its context is its own."""
    key = rsa_pss_key()
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    plain = X509.from_bytes(certificate=RSA_PSS_CERTIFICATE, private_key=RSA_PSS_KEY)
    bundle = pkcs12.serialize_key_and_certificates(b"x", key, plain.chain[0], None, NoEncryption())
    for identity in (
        plain,
        X509.from_bytes(certificate=RSA_PSS_CERTIFICATE, private_key=encrypted, password=b"x"),
        X509.from_pkcs12(bundle),
    ):
        presented = identity.tls_identity()
        assert isinstance(presented, ClientCertificate)
        assert presented.key_type is KeyType.RSA_PSS
        load(identity)


def test_openssl_never_prompts() -> None:
    """A key that turns out to be encrypted is an error."""
    pem = DEVICE.certificate_pem + DEVICE.encrypted_key_pem(password=b"x")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(RuntimeError, match="password"):
        load_into(context, pem, None)

    load_into(context, pem, b"x")
