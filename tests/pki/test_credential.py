"""What an authority issues, as bytes."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from tests import certificates

from aiodps.pki import Authority
from aiodps.pki.credential import KeyType, common_name, is_ca, is_root, new_private_key


def test_the_chain_is_leaf_then_intermediates_without_the_root() -> None:
    """What is sent in TLS begins with the leaf and ends below the root."""
    device = certificates.intermediate().device("sensor-7")
    chain = x509.load_pem_x509_certificates(device.chain_pem)

    assert chain == [device.certificate, certificates.intermediate().certificate]
    assert x509.load_pem_x509_certificates(device.certificate_pem) == [device.certificate]


@pytest.mark.parametrize("key_type", ["ec", "rsa", "ed25519"])
def test_keys_survive_pem(key_type: KeyType) -> None:
    """The private key in PEM is the one of the certificate."""
    device = certificates.root().device("sensor-7", private_key=new_private_key(key_type))
    key = load_pem_private_key(device.private_key_pem, None)

    assert key.public_key() == device.certificate.public_key()


def test_keys_can_be_encrypted() -> None:
    """With a password, the key in PEM opens with that password alone."""
    device = certificates.root().device("sensor-7")
    pem = device.encrypted_key_pem(password=b"secret")

    assert load_pem_private_key(pem, b"secret").public_key() == device.certificate.public_key()
    with pytest.raises(TypeError):
        load_pem_private_key(pem, None)


def test_no_repr_shows_a_key() -> None:
    """A credential can be logged."""
    assert "private" not in repr(certificates.root().device("sensor-7")).lower()


def test_names_are_read_from_any_certificate() -> None:
    """A CN that is missing or too long is no reason to fail, or to warn."""
    assert common_name(certificates.without_name().certificate) == ""
    assert certificates.long_name(100).name == "d" * 100


def test_a_certificate_without_constraints_is_no_ca() -> None:
    """Old certificates (version 1) say nothing; they issue nothing."""
    assert is_ca(certificates.root().certificate)
    assert not is_ca(certificates.certify(constraints=False).certificate)


def test_a_root_is_its_own_issuer() -> None:
    """Intermediates are not roots."""
    assert is_root(certificates.root().certificate)
    assert not is_root(certificates.intermediate().certificate)


def test_a_credential_is_read_from_what_it_wrote() -> None:
    """Certificate and key, nothing more."""
    written = Authority.root("root")
    read = Authority.from_pem(written.certificate_pem, written.private_key_pem)

    assert isinstance(read, Authority)
    assert read.certificate == written.certificate
    assert read.private_key_pem == written.private_key_pem


@pytest.mark.slow
def test_keys_that_nobody_makes_here_are_refused() -> None:
    """Such as DSA."""
    key = dsa.generate_private_key(2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(TypeError, match="not a key"):
        Authority.from_pem(Authority.root("root").certificate_pem, key)
