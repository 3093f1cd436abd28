"""Authentication of a device by certificates or signature, which select its enrollment.

The service looks for an individual enrollment of the registration id, then for the group of the CA
that issued the device's certificate, then of the CA above, up to the root. The first match
decides, even against the device (Microsoft Learn, "X.509 certificate attestation"). A device with
a symmetric key belongs to the group whose key its own key is derived from; the token does not name
it, so the groups are tried one by one, first the one that the device was in before.

A group counts only if its CA, or one above it on the device's path, is verified on the instance:
otherwise anybody could enroll anybody's CA. Only the CA at the top of the path need not be
presented by the device. The messages of refusals are the service's, as seen in public reports;
which message belongs to which cause is our interpretation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from cryptography import x509

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.messages import Identity, Request
from aiodps.emulator.protocol.x509 import (
    are_valid_at,
    is_named,
    is_signed_by,
    issuer_name,
    path_up,
    subject,
    thumbprint,
)
from aiodps.emulator.service.authentication.ca_certificates import CaCertificate, CaCertificates
from aiodps.emulator.service.authentication.sas import (
    SharedAccessSignature,
    is_signed_by_device,
    is_signed_by_member,
    key_rejected,
    mistaken_group_key,
    read_token,
)
from aiodps.emulator.service.authentication.tpm import TpmChallenges
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.mechanisms import (
    ClientCertificates,
    SymmetricKeys,
    TpmKeys,
)
from aiodps.emulator.service.enrollments.store import Enrollments

MAX_PRESENTED = 10
"""Certificates a device may present; chains of five were seen in the field."""


class Authenticator:
    """Authenticates devices and finds their enrollments.

    Args:
        enrollments: Of the instance.
        certificates: Of the instance.
    """

    def __init__(self, *, enrollments: Enrollments, certificates: CaCertificates) -> None:
        self._enrollments = enrollments
        self._certificates = certificates
        self.tpm_challenges: TpmChallenges = TpmChallenges()
        """The challenges of devices with a TPM."""

    def authenticate(
        self,
        request: Request,
        identity: Identity,
        *,
        tpm: TpmKeys | None = None,
        now: float,
        known_group: str | None = None,
    ) -> Enrollment:
        """Return the enrollment of an authenticated device; it may be disabled.

        Args:
            request: Of the device.
            identity: Its credentials.
            tpm: The keys of a TPM in the request; None if there are none.
            now: Seconds since 1970.
            known_group: The group of its latest operation, to be tried first; None if unknown.

        Raises:
            Refusal: 401, if the credentials are invalid, or the device is not enrolled.
        """
        individual = self._enrollments.individual(request.registration_id)
        if individual is not None:
            return self._authenticate_individual(individual, request, identity, tpm=tpm, now=now)

        if tpm is not None:  # as seen on the wire
            raise Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Enrollment not found.")

        if identity.authorization:
            return self._authenticate_by_group_key(request, identity, now=now, known=known_group)

        return self._authenticate_by_group_ca(request.registration_id, identity, now=now)

    def _authenticate_individual(
        self,
        enrollment: IndividualEnrollment,
        request: Request,
        identity: Identity,
        *,
        tpm: TpmKeys | None,
        now: float,
    ) -> IndividualEnrollment:
        match enrollment.attestation:
            case ClientCertificates(primary=primary, secondary=secondary):
                presented = thumbprint(_leaf(request.registration_id, identity, now=now))
                if presented not in {each.thumbprint for each in (primary, secondary) if each}:
                    raise _unauthorized("Unauthorized", "another certificate is enrolled")
            case SymmetricKeys() as keys:
                if not is_signed_by_device(read_token(request, identity, now=now), keys):
                    raise key_rejected(request, "the signature is not by an enrolled key")
            case TpmKeys() as keys:
                self.tpm_challenges.authenticate(request, identity, keys, presented=tpm, now=now)
            case _:
                assert_never(enrollment.attestation)

        return enrollment

    def _authenticate_by_group_key(
        self, request: Request, identity: Identity, *, now: float, known: str | None
    ) -> EnrollmentGroup:
        token = read_token(request, identity, now=now)
        for group, keys in self._groups_of_keys(known):
            if is_signed_by_member(token, keys, request.registration_id):
                return group

        raise key_rejected(
            request,
            "the signature is not by a key derived from that of a group"
            + self._mistaken_key(token, request.registration_id),
        )

    def _mistaken_key(self, token: SharedAccessSignature, registration_id: str) -> str:
        """Say with which wrong key of a group a token is signed; empty if with none of them."""
        for group, keys in self._enrollments.groups_of_keys():
            mistake = mistaken_group_key(token, keys, registration_id)
            if mistake is not None:
                return f": {mistake} of group {group.id}"

        return ""

    def _groups_of_keys(
        self, known: str | None
    ) -> Iterator[tuple[EnrollmentGroup, SymmetricKeys]]:
        group = None if known is None else self._enrollments.group(known)
        if group is not None and isinstance(group.attestation, SymmetricKeys):
            yield group, group.attestation

        yield from self._enrollments.groups_of_keys()

    def _authenticate_by_group_ca(
        self, registration_id: str, identity: Identity, *, now: float
    ) -> EnrollmentGroup:
        leaf = _leaf(registration_id, identity, now=now)
        if self._group_of(leaf) is not None:
            raise _no_match("a CA that is enrolled is not a device of its own")

        path = path_up(leaf, identity.certificates[1:], self._certificates.all)
        for index, ca in enumerate(path):
            group = self._group_of(ca)
            if group is not None:
                self._check_verified((leaf, *path), above=index + 1)
                _check_dates(path, now=now)
                return group

        self._check_verified((leaf, *path))
        raise _no_match("no group has a CA of its chain")

    def _group_of(self, ca: x509.Certificate) -> EnrollmentGroup | None:
        group = self._enrollments.group_signed_by(thumbprint(ca))
        if group is not None or not (entries := self._certificates.of(ca)):
            return group

        return self._enrollments.group_of_ca([each.name for each in entries])

    def _check_verified(self, chain: tuple[x509.Certificate, ...], *, above: int = 1) -> None:
        """Refuse a chain in which no CA, from a place upwards, is verified."""
        known = [each for ca in chain[above:] for each in self._certificates.of(ca)]
        if not any(each.verified for each in known):
            raise _unauthorized("CA certificate not found.", _why_not_found(chain, known))


def _leaf(registration_id: str, identity: Identity, *, now: float) -> x509.Certificate:
    """Return the device's own certificate if it is valid and its CN is the registration id."""
    if not identity.certificates:
        raise _unauthorized("Unauthorized", "the device presented no certificate")

    if len(identity.certificates) > MAX_PRESENTED:
        raise _unauthorized("Invalid certificate.", f"the chain is longer than {MAX_PRESENTED}")

    leaf = identity.certificates[0]
    _check_dates((leaf,), now=now)
    if not is_named(leaf, registration_id):
        raise _unauthorized("Unauthorized", "the CN is not the registration id")

    return leaf


def _why_not_found(chain: tuple[x509.Certificate, ...], known: Sequence[CaCertificate]) -> str:
    """Say what is missing above a chain: for the operator, not for the device."""
    if known:
        return f"CA certificate {known[0].name!a} is uploaded, but not verified"

    top = chain[-1]
    if is_signed_by(top, top):
        return f"{subject(top)!a}, the top of the chain, is not uploaded"

    return (
        f"the device presented {len(chain)} certificate(s) of a chain up to {subject(top)!a}; "
        f"its issuer {issuer_name(top)!a} is neither among them nor uploaded"
    )


def _no_match(why: str) -> Refusal:
    return _unauthorized("Signing certificate info did not match chain elements.", why)


def _check_dates(certificates: tuple[x509.Certificate, ...], *, now: float) -> None:
    if not are_valid_at(certificates, now):
        raise _unauthorized("Invalid certificate.", "a certificate is not valid at this time")


def _unauthorized(message: str, why: str | None = None) -> Refusal:
    return Refusal(ErrorCode.UNAUTHORIZED, message, why=why)
