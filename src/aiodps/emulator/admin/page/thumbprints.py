"""Thumbprints of certificates, SHA-1 and SHA-256, and the search for them.

Azure's portal shows SHA-1, the service API both, and tools write them with or without colons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from aiodps.emulator.protocol.x509 import certificate_info
from aiodps.emulator.service.enrollments.enrollment import Enrollment
from aiodps.emulator.service.enrollments.mechanisms import (
    ClientCertificates,
    EnrolledCertificate,
    SigningCertificates,
    thumbprint_digits,
)

_SEARCHED: Final = re.compile("[0-9A-F]{6,64}")
"""Fewer digits are more likely a part of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbprints:
    """The thumbprints of one certificate, upper-case hex digits."""

    sha1: str
    """"" if it is unknown: an enrollment may hold the SHA-256 alone."""
    sha256: str

    @classmethod
    def of(cls, certificate: x509.Certificate | EnrolledCertificate) -> Thumbprints:
        """Return those of a certificate, whole or as enrolled."""
        if isinstance(certificate, x509.Certificate):
            info = certificate_info(certificate)
        else:
            info = certificate.info

        return cls(
            sha1=thumbprint_digits(str(info.get("sha1Thumbprint", ""))),
            sha256=str(info["sha256Thumbprint"]),
        )

    def __str__(self) -> str:
        return f"{self.sha1} {self.sha256}".strip()


def enrolled_certificates(enrollment: Enrollment) -> dict[str, EnrolledCertificate]:
    """Return the certificates of an enrollment, by `primary` and `secondary`."""
    match enrollment.attestation:
        case ClientCertificates() | SigningCertificates() as pair:
            both = {"primary": pair.primary, "secondary": pair.secondary}
            return {slot: each for slot, each in both.items() if each is not None}
        case _:
            return {}


def thumbprints_of(enrollment: Enrollment) -> str:
    """Return all thumbprints of an enrollment, separated by blanks."""
    return " ".join(
        str(Thumbprints.of(each)) for each in enrolled_certificates(enrollment).values()
    )


@dataclass(frozen=True, slots=True)
class Search:
    """A search: for a part of a name, or the beginning of a thumbprint."""

    text: str

    @property
    def digits(self) -> str:
        """The thumbprint that it may be; "" if it is none."""
        digits = thumbprint_digits(self.text)
        return digits if _SEARCHED.fullmatch(digits) else ""

    def finds(self, names: Iterable[str], thumbprints: str = "") -> bool:
        """Whether it is a part of a name, or begins one of the thumbprints."""
        if any(self.text.lower() in name.lower() for name in names):
            return True

        digits = self.digits
        return bool(digits) and any(each.startswith(digits) for each in thumbprints.split())
