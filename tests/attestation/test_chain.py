"""The order, validity and strength of a certificate chain and its key."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from tests import certificates as kit

from aiodps.attestation.chain import common_name
from aiodps.attestation.x509 import X509
from aiodps.errors import (
    CertificateError,
    CredentialError,
    IdentityMismatchError,
    PrivateKeyError,
)
from aiodps.pki import Credential, PrivateKey

NOW = time.time()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(kit.weak_rsa, "weak", id="K21"),
        pytest.param(kit.odd_curve, "unsupported_curve", id="K22"),
        pytest.param(kit.wrong_key, "mismatch", id="K13-again"),
    ],
)
def test_keys_that_cannot_be_used(make: Callable[[], Credential], reason: str) -> None:
    """A key that TLS or the service would refuse is refused before anything is sent."""
    credential = make()
    with pytest.raises(PrivateKeyError) as caught:
        load(credential)

    assert caught.value.reason == reason


def load(credential: Credential) -> X509:
    """Load a credential from bytes."""
    return X509.from_bytes(
        certificate=credential.chain_pem, private_key=credential.private_key_pem
    )


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        pytest.param(kit.expired, CertificateError, "expired", id="K20"),
        pytest.param(kit.not_yet_valid, CertificateError, "not_yet_valid", id="K20-early"),
        pytest.param(kit.expired_intermediate, CertificateError, "expired", id="K20-above"),
        pytest.param(
            lambda: kit.certify("device-2"),
            IdentityMismatchError,
            "certificate",
            id="K23",
        ),
        pytest.param(kit.long_name, IdentityMismatchError, "cn", id="K24"),
        pytest.param(kit.without_name, CertificateError, "no_cn", id="no-cn"),
    ],
)
def test_checked_before_dialling(
    make: Callable[[], Credential], error: type[CredentialError], reason: str
) -> None:
    """What the service is sure to refuse is told before anything is sent."""
    with pytest.raises(error) as caught:
        load(make()).check(registration_id="device-1", wall_time=NOW)

    assert caught.value.reason == reason
    if reason in {"expired", "not_yet_valid"}:
        assert "clock" in caught.value.hint


def of(credential: Credential, *certificates: Credential) -> X509:
    """Load a credential with the certificates of others."""
    pem = b"".join(each.certificate_pem for each in (credential, *certificates))
    return X509.from_bytes(certificate=pem, private_key=credential.private_key_pem)


def names(identity: X509) -> list[str]:
    """Return the CNs of what is sent."""
    return [common_name(each) for each in identity.chain]


def test_a_missing_intermediate() -> None:
    """It is told, and no error: an individual enrollment needs no chain."""
    identity = load(kit.wrong_intermediate())
    (remark,) = identity.remarks

    assert names(identity) == ["device-1"]
    assert "hole" in remark
    assert "CN=test intermediate" in remark


def test_a_hole_further_up() -> None:
    """It is told as well: a group of the lower CA needs no more."""
    low = kit.intermediate()
    lower = low.intermediate("lower")
    identity = of(lower.device("device-1"), lower, kit.root())
    (remark,) = identity.remarks

    assert names(identity) == ["device-1", "lower"]
    assert "'CN=lower' was issued by 'CN=test intermediate'" in remark


def test_a_leaf_alone_is_legitimate() -> None:
    """Individual enrollments need no chain, and roots may sign devices themselves."""
    for credential in (kit.missing_intermediate(), kit.self_signed()):
        identity = load(credential)
        identity.check(registration_id="DEVICE-1", wall_time=NOW)

        assert identity.remarks == ()


def test_a_self_signed_leaf_with_another_ca() -> None:
    """Nothing belongs above it."""
    identity = of(kit.self_signed(), kit.root(), kit.intermediate())

    assert names(identity) == ["device-1"]
    assert identity.remarks == ()


@pytest.mark.parametrize("order", [1, -1])
def test_issuers_by_signature(order: int) -> None:
    """Of two CAs with one name, as after a renewal, the one that signed is sent."""
    old, new = (kit.root().intermediate("renewed") for _ in range(2))
    identity = of(new.device("device-1"), *(old, new)[::order])

    assert identity.chain[1] == new.certificate
    assert identity.remarks == ()


@pytest.mark.parametrize("order", [1, -1])
def test_a_renewed_ca_with_its_key(order: int) -> None:
    """Of two certificates for one key the later one is sent: the other may have expired."""
    key = kit.rsa_key(2048)
    old, new = (
        kit.certify("renewed", issuer=kit.root(), ca=True, key=key, ends=days * kit.DAY)
        for days in (1, 100)
    )
    device = kit.certify(issuer=new)
    identity = of(device, *(old, new)[::order])

    assert identity.chain[1:] == (new.certificate,)


def test_a_renewed_ca_with_a_key_of_another_kind() -> None:
    """A signature of the wrong kind is not one."""
    old = kit.certify("renewed", issuer=kit.root(), ca=True, key=kit.rsa_key(2048))
    new = kit.root().intermediate("renewed")

    for one, other in ((old, new), (new, old)):
        assert of(kit.certify(issuer=one), other, one).chain[1] == one.certificate


def test_names_that_differ_in_bytes() -> None:
    """Names in other casing are the same by RFC 5280; the signature decides."""
    ca = kit.root().intermediate("Plant CA")
    other = dataclasses.replace(
        kit.certify("PLANT CA", issuer=kit.root(), ca=True), private_key=ca.private_key
    )

    assert names(of(kit.certify(issuer=other), ca, kit.root())) == ["device-1", "Plant CA"]


@pytest.mark.parametrize("key", [kit.rsa_key(2048), ed25519.Ed25519PrivateKey.generate()])
def test_cas_of_any_kind(key: PrivateKey) -> None:
    """RSA and Ed25519 sign as well as EC."""
    ca = kit.certify("ca", issuer=kit.root(), ca=True, key=key)

    assert names(of(kit.certify(issuer=ca), kit.root(), ca)) == ["device-1", "ca"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: kit.certify(ca=True, issuer=kit.root()), "'CN=device-1' is a CA"),
        (lambda: kit.certify(usages=kit.SERVER), "lacks clientAuth"),
        (lambda: kit.certify(key_cert_sign=True), "lacks digitalSignature"),
        (kit.issued_by_leaf, "'CN=not a ca' issues .* is not a CA"),
        (kit.issuer_may_not_sign, "'CN=may not sign' lacks keyCertSign"),
        (kit.chain_too_long, "'CN=path length 0' allows 0 CAs below it, and has 1"),
    ],
)
def test_what_the_service_may_refuse(make: Callable[[], Credential], says: str) -> None:
    """It is told before anything is sent, and refused by nobody but the service."""
    identity = load(make())
    identity.check(registration_id="device-1", wall_time=NOW)

    assert any(re.search(says, remark) for remark in identity.remarks)


@pytest.mark.parametrize(
    "usages", [(), kit.CLIENT, kit.SERVER + kit.CLIENT, [x509.ObjectIdentifier("2.5.29.37.0")]]
)
def test_usages_that_are_fine(usages: Sequence[x509.ObjectIdentifier]) -> None:
    """None at all, clients among others, and any."""
    assert load(kit.certify(usages=usages)).remarks == ()


def test_order_does_not_matter() -> None:
    """K25: the leaf is found by its key, intermediates are put in order, the root is left out."""
    deep = kit.intermediate().intermediate("deeper")
    device = deep.device("device-1")
    shuffled = b"".join(
        one.certificate_pem for one in (kit.root(), kit.intermediate(), deep, device)
    )
    identity = X509.from_bytes(certificate=shuffled, private_key=device.private_key_pem)

    assert [one.subject.rfc4514_string() for one in identity.chain] == [
        "CN=device-1",
        "CN=deeper",
        "CN=test intermediate",
    ]
