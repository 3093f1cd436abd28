"""Thumbprints of enrollments, and the search for them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from tests.certificates import root, self_signed

from aiodps.emulator.admin.page.thumbprints import Search, Thumbprints, thumbprints_of
from aiodps.emulator.service.enrollments.enrollment import IndividualEnrollment
from aiodps.emulator.service.enrollments.json import read_enrollment

LAMP = self_signed("lamp").certificate
SHA1 = LAMP.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (as Azure's portal shows it)
SHA256 = LAMP.fingerprint(hashes.SHA256()).hex().upper()


def test_both_ways() -> None:
    """SHA-1 and SHA-256 of each certificate, the secondary one too."""
    enrollment = IndividualEnrollment.x509(
        registration_id="lamp", certificate=LAMP, secondary=root().certificate
    )

    assert Thumbprints.of(LAMP) == Thumbprints(sha1=SHA1, sha256=SHA256)
    assert thumbprints_of(enrollment).split()[:2] == [SHA1, SHA256]
    assert len(thumbprints_of(enrollment).split()) == 4


def test_by_thumbprint_alone() -> None:
    """The SHA-1 of a certificate that nobody uploaded is unknown."""
    certificates = {"primary": {"info": {"sha256Thumbprint": SHA256}}}
    x509 = {"type": "x509", "x509": {"clientCertificates": certificates}}
    enrollment = read_enrollment({"registrationId": "lamp", "attestation": x509}, source="")

    assert thumbprints_of(enrollment) == SHA256


def test_without_certificates() -> None:
    """A symmetric key has none."""
    key = {"registrationId": "lamp", "attestation": {"type": "symmetricKey"}}

    assert thumbprints_of(read_enrollment(key, source="")) == ""


@pytest.mark.parametrize("digits", [SHA1, SHA256, SHA1[:8]], ids=["SHA-1", "SHA-256", "part"])
@pytest.mark.parametrize("separator", ["", ":", " "])
def test_a_search_finds_it(digits: str, separator: str) -> None:
    """By either, whole or its beginning, as any tool writes it."""
    text = separator.join(digits[i : i + 2] for i in range(0, len(digits), 2)).lower()

    assert Search(text).finds(["press"], f"{SHA1} {SHA256}")


def test_a_search_for_a_name() -> None:
    """A part of it in any casing; few digits are not a thumbprint."""
    assert Search("AMP").finds(["lamp"])
    assert not Search("press").finds(["lamp"], SHA1)
    assert not Search(SHA1[:4]).finds(["lamp"], SHA1)
