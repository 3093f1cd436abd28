"""Rules for enrollments, whichever way they come: a file, the service API, the page, or Python.

What a single member may be is checked where it is read; here is what members mean together, and
what they mean on this instance. Sources: Microsoft's REST reference of the DPS service API for
what is required; Microsoft Learn, "How to use allocation policies", for `static`; the text of
the refusal without a webhook was quoted by a user (azure-docs 17690). The texts of the others are
the emulator's own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import is_registration_id
from aiodps.emulator.protocol.x509 import is_named, may_sign, subject
from aiodps.emulator.service.authentication.ca_certificates import CaCertificates
from aiodps.emulator.service.enrollments.allocation import AllocationPolicy, LinkedHubs
from aiodps.emulator.service.enrollments.enrollment import (
    CustomAllocation,
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    SigningCertificates,
)
from aiodps.errors import ConfigurationError

log: Final = logging.getLogger(__name__)


def check_enrollment(enrollment: Enrollment, *, hubs: LinkedHubs) -> None:
    """Refuse an enrollment that the service would not store.

    Args:
        enrollment: As read.
        hubs: The linked hubs of the instance.

    Raises:
        Refusal: 400, with the first rule that it breaks.
    """
    if not is_registration_id(enrollment.id):
        member = "enrollmentGroupId" if _is_group(enrollment) else "registrationId"
        raise Refusal(ErrorCode.INVALID_REQUEST, f"Invalid {member}.")

    issuance = enrollment.issuance.problems() if enrollment.issuance else ()
    for problem in (
        *_allocation_problems(enrollment, hubs),
        *_certificate_problems(enrollment),
        *issuance,
    ):
        raise Refusal(ErrorCode.BAD_REQUEST, problem)

    _warn_of_another_name(enrollment)


def check_ca_references(enrollment: Enrollment, *, certificates: CaCertificates) -> None:
    """Refuse an enrollment that refers to a CA certificate that the instance does not have.

    Raises:
        Refusal: 400, with the name.
    """
    if isinstance(enrollment.attestation, CaReferences):
        for name in filter(
            None, (enrollment.attestation.primary, enrollment.attestation.secondary)
        ):
            if not certificates.has(name):
                raise Refusal(
                    ErrorCode.BAD_REQUEST, f"caReferences: there is no CA certificate {name!a}."
                )


@contextmanager
def as_configuration_error(enrollment: Enrollment) -> Iterator[None]:
    """Turn the refusal of an enrollment that the emulator begins with into an error of ours."""
    try:
        yield
    except Refusal as exc:
        raise ConfigurationError(
            f"the enrollment {enrollment.id!a}: {exc.message}",
            setting="enrollments",
            hint="correct it in the file or the option that it comes from; an id has letters, "
            "digits, and -._: between them",
        ) from exc


def _is_group(enrollment: Enrollment) -> bool:
    return isinstance(enrollment, EnrollmentGroup)


def _allocation_problems(enrollment: Enrollment, hubs: LinkedHubs) -> Iterator[str]:
    allocation, webhook = enrollment.allocation, enrollment.custom_allocation
    for hub in allocation.named:
        if hub not in hubs:
            yield f"{hub!a} is not a linked IoT hub of this instance."

    match allocation.policy:
        case AllocationPolicy.CUSTOM if webhook is None:
            yield (
                "A CustomAllocationDefinition is required when the allocation policy is set to "
                "'Custom'."
            )
        case AllocationPolicy.STATIC if len(allocation.named) != 1:
            yield (
                f"The allocation policy 'static' needs one IoT hub, not {len(allocation.named)}."
            )

    if webhook is not None and not _is_web_address(webhook):
        yield "customAllocationDefinition.webhookUrl is not an http or https URL."


def _is_web_address(webhook: CustomAllocation) -> bool:
    try:
        url = urlsplit(webhook.webhook_url)
        _ = url.port  # raises if it is not a number
    except ValueError:
        return False

    return url.scheme in {"http", "https"} and bool(url.hostname)


def _certificate_problems(enrollment: Enrollment) -> Iterator[str]:
    if not isinstance(enrollment.attestation, SigningCertificates):
        return

    for each in (enrollment.attestation.primary, enrollment.attestation.secondary):
        if each is not None and each.certificate is not None and not may_sign(each.certificate):
            yield f"The signing certificate {subject(each.certificate)!a} is not a CA certificate."


def _warn_of_another_name(enrollment: Enrollment) -> None:
    """Warn the operator of an enrollment that matches no device; the service does not."""
    if not isinstance(enrollment, IndividualEnrollment):
        return

    if isinstance(enrollment.attestation, ClientCertificates):
        for each in (enrollment.attestation.primary, enrollment.attestation.secondary):
            found = None if each is None else each.certificate
            if found is not None and not is_named(found, enrollment.id):
                log.warning(
                    "enrollment %s: no device can register with its certificate %a, whose CN "
                    "is not the registration id",
                    enrollment.id,
                    subject(found),
                )
