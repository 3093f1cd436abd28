"""The order, validity and strength of a certificate chain and its key."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests import certificates as kit

from aiodps.attestation.x509 import X509
from aiodps.errors import (
    CertificateError,
    CredentialError,
    IdentityMismatchError,
    PrivateKeyError,
)
from aiodps.pki import Credential

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


def test_missing_intermediate() -> None:
    """A file with certificates, but not the one that issued the leaf, is told at once."""
    with pytest.raises(CertificateError) as caught:
        load(kit.wrong_intermediate())

    assert caught.value.reason == "missing_intermediate"
    assert "test intermediate" in caught.value.message


def test_a_leaf_alone_is_legitimate() -> None:
    """Individual enrollments need no chain, and roots may sign devices themselves."""
    load(kit.missing_intermediate()).check(registration_id="device-1", wall_time=NOW)
    load(kit.self_signed()).check(registration_id="DEVICE-1", wall_time=NOW)


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
