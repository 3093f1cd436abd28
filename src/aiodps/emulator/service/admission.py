"""Who lets a device in: the enrollment that its certificates lead to.

The service looks for an individual enrollment of the registration id, then for the group of the CA
that issued the device's certificate, then of the CA above, up to the root. The first hit decides,
even against the device (Microsoft Learn, "X.509 certificate attestation").

A group counts only if its CA, or one above it on the device's path, is verified on the instance:
otherwise anybody could enrol anybody's CA. What the device does not present is not filled in; only
the CA at the top of the path may be known from the instance alone. The texts of refusals are the
service's, as seen in public reports; which text belongs to which cause is our reading.
"""

from __future__ import annotations

from typing import assert_never

from cryptography import x509

from aiodps.emulator.service.certificates import CaCertificates
from aiodps.emulator.service.enrollment import Enrollment, EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments import Enrollments
from aiodps.emulator.service.mechanisms import ClientCertificates, SymmetricKeys
from aiodps.emulator.service.refusals import ErrorCode, refusal
from aiodps.emulator.service.x509_rules import is_named, is_valid_at, path_up, thumbprint
from aiodps.emulator.wire import Identity
from aiodps.errors import ServiceError

MAX_PRESENTED = 10
"""Certificates a device may present; chains of five were seen in the field."""


class Admission:
    """Finds the enrollment that lets a device in.

    Args:
        enrollments: Of the instance.
        certificates: Of the instance.
    """

    def __init__(self, *, enrollments: Enrollments, certificates: CaCertificates) -> None:
        self._enrollments = enrollments
        self._certificates = certificates

    def admit(self, registration_id: str, identity: Identity, *, now: float) -> Enrollment:
        """Return the enrollment of a device that proved who it is; it may be disabled.

        Raises:
            UnauthorizedError: If the device did not prove it, or nobody enrolled it.
        """
        individual = self._enrollments.individual(registration_id)
        if individual is not None:
            return _admit_individual(individual, registration_id, identity, now=now)

        return self._admit_to_group(registration_id, identity, now=now)

    def _admit_to_group(
        self, registration_id: str, identity: Identity, *, now: float
    ) -> EnrollmentGroup:
        leaf = _leaf(registration_id, identity, now=now)
        anchors = [each.certificate for each in self._certificates]
        path = path_up(leaf, identity.certificates[1:], anchors)
        for index, ca in enumerate(path):
            group = self._group_of(ca)
            if group is not None:
                self._check_verified(path[index:])
                _check_dates(path, now=now)
                return group

        self._check_verified(path)
        raise _unauthorized("Signing certificate info did not match chain elements.")

    def _group_of(self, ca: x509.Certificate) -> EnrollmentGroup | None:
        names = [each.name for each in self._certificates.of(ca)]
        return self._enrollments.group_signed_by(thumbprint(ca), names=names)

    def _check_verified(self, path: tuple[x509.Certificate, ...]) -> None:
        if not any(each.verified for ca in path for each in self._certificates.of(ca)):
            raise _unauthorized("CA certificate not found.")


def _admit_individual(
    enrollment: IndividualEnrollment, registration_id: str, identity: Identity, *, now: float
) -> IndividualEnrollment:
    match enrollment.attestation:
        case ClientCertificates(primary=primary, secondary=secondary):
            presented = thumbprint(_leaf(registration_id, identity, now=now))
            if presented not in {each.thumbprint for each in (primary, secondary) if each}:
                raise _unauthorized("Unauthorized")

            return enrollment
        case SymmetricKeys():
            raise _unauthorized("Unauthorized")
        case _:
            assert_never(enrollment.attestation)


def _leaf(registration_id: str, identity: Identity, *, now: float) -> x509.Certificate:
    """Return the device's own certificate if it is valid and made out to the registration id."""
    if not identity.certificates:
        raise _unauthorized("Unauthorized")

    if len(identity.certificates) > MAX_PRESENTED:
        raise _unauthorized("Invalid certificate.")

    leaf = identity.certificates[0]
    _check_dates((leaf,), now=now)
    if not is_named(leaf, registration_id):
        raise _unauthorized("Unauthorized")

    return leaf


def _check_dates(certificates: tuple[x509.Certificate, ...], *, now: float) -> None:
    if not all(is_valid_at(each, now) for each in certificates):
        raise _unauthorized("Invalid certificate.")


def _unauthorized(message: str) -> ServiceError:
    return refusal(ErrorCode.UNAUTHORIZED, message)
