"""Another key of a device that has registered is refused for a while, if the emulator is told so."""

from __future__ import annotations

import pytest
from tests.certificates import certify, root
from tests.emulator.instance import NOW, SCOPE, register, shown
from tests.emulator.tokens import KEY, OTHER_KEY, derived, signed, token

from aiodps.emulator.protocol.messages import Identity
from aiodps.emulator.service.authentication.remembered_keys import REMEMBERED_SECONDS
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.service import Service

KEYS = SymmetricKeys(primary=KEY, secondary=OTHER_KEY)


def status(service: Service, identity: Identity, *, now: float = NOW) -> int:
    """Register; the tokens of these tests never expire."""
    return register(service, identity, now=now).status_code


@pytest.mark.parametrize("member", [False, True])
def test_the_other_key(*, member: bool) -> None:
    """It is refused until the time is over; casing of the id does not count."""
    keys = [derived(key, "device-1") if member else key for key in (KEY, OTHER_KEY)]
    first, second = (
        Identity(authorization=token(key=key, expiry=int(NOW + 2 * REMEMBERED_SECONDS)))
        for key in keys
    )
    enrollment = (
        EnrollmentGroup(enrollment_group_id="keys", attestation=KEYS)
        if member
        else IndividualEnrollment(registration_id="device-1", attestation=KEYS)
    )
    service = Service(
        id_scope=SCOPE, linked_hubs=["hub"], enrollments=[enrollment], remember_keys=True
    )

    assert status(service, first) == 202
    assert status(service, second) == 401
    assert status(service, first, now=NOW + 1) == 202
    assert status(service, second, now=NOW + REMEMBERED_SECONDS - 1) == 401
    assert status(service, second, now=NOW + REMEMBERED_SECONDS) == 202
    assert status(service, first, now=NOW + REMEMBERED_SECONDS + 1) == 401
    service.forget_devices()
    assert status(service, first, now=NOW + REMEMBERED_SECONDS + 1) == 202


def test_certificates_are_not_remembered() -> None:
    """A roll-over of certificates takes effect at once."""
    group = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="ca")
    service = Service(id_scope=SCOPE, linked_hubs=["hub"], enrollments=[group], remember_keys=True)
    service.certificates.upload("root", root().certificate, verified=True, now=NOW)

    assert status(service, shown(certify())) == status(service, shown(certify())) == 202


def test_a_wrong_key_is_not_remembered() -> None:
    """It is refused before anything is remembered."""
    enrollment = IndividualEnrollment(registration_id="device-1", attestation=KEYS)
    service = Service(
        id_scope=SCOPE, linked_hubs=["hub"], enrollments=[enrollment], remember_keys=True
    )

    assert status(service, signed(key=derived(KEY, "device-2"))) == 401
    assert status(service, signed(key=OTHER_KEY)) == 202
