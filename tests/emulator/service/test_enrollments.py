"""The enrollments of an instance, and the file they come from."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.certificates import certify, intermediate, other_root, root

from aiodps.emulator.service.enrollments import (
    EnrollmentGroup,
    Enrollments,
    IndividualEnrollment,
    read_enrollments,
)
from aiodps.emulator.service.mechanisms import SymmetricKeys
from aiodps.emulator.service.x509_rules import thumbprint
from aiodps.errors import ConfigurationError

DEVICE = IndividualEnrollment.x509(
    registration_id="Device-1", certificate=certify().certificate_pem
)
GROUP = EnrollmentGroup.signed_by(
    root().certificate,
    enrollment_group_id="All",
    secondary=other_root().certificate,
)
NAMED = EnrollmentGroup.of_ca("My-Root", enrollment_group_id="Named")
ROOT = thumbprint(root().certificate)
OTHER = thumbprint(other_root().certificate)
NOBODY = thumbprint(intermediate().certificate)


def test_ids_are_found_in_any_casing() -> None:
    """Devices and groups alike."""
    enrollments = Enrollments([DEVICE, GROUP])

    assert enrollments.individual("dEVICE-1") is DEVICE
    assert enrollments.group("aLL") is GROUP
    assert enrollments.individual("All") is None
    assert enrollments.group("device-1") is None
    assert list(enrollments) == [DEVICE, GROUP]


def test_groups_are_found_by_their_cas() -> None:
    """By either certificate, or by a name that the CA has on the instance."""
    enrollments = Enrollments([GROUP, NAMED])

    assert enrollments.group_signed_by(ROOT) is GROUP
    assert enrollments.group_signed_by(OTHER) is GROUP
    assert enrollments.group_signed_by(NOBODY, names=["other", "MY-ROOT"]) is NAMED
    assert enrollments.group_signed_by(NOBODY, names=["other"]) is None


def test_of_two_groups_of_one_ca_the_older_one_counts() -> None:
    """Until it is removed."""
    younger = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="Younger")
    enrollments = Enrollments([GROUP, younger])
    before = enrollments.group_signed_by(ROOT)
    enrollments.remove_group("ALL")

    assert before is GROUP
    assert enrollments.group_signed_by(ROOT) is younger
    assert enrollments.group_signed_by(OTHER) is None


def test_a_changed_enrollment_takes_the_place_of_the_old_one() -> None:
    """What it no longer says is forgotten."""
    keys = EnrollmentGroup(enrollment_group_id="keys", attestation=SymmetricKeys())
    enrollments = Enrollments([DEVICE, GROUP, keys])
    moved = EnrollmentGroup.of_ca("My-Root", enrollment_group_id="all")
    enrollments.put(moved)

    assert list(enrollments) == [DEVICE, moved, keys]
    assert enrollments.group_signed_by(ROOT) is None


def test_removing() -> None:
    """What is not there is removed already."""
    enrollments = Enrollments([DEVICE])
    enrollments.remove_individual("DEVICE-1")
    enrollments.remove_individual("DEVICE-1")
    enrollments.remove_group("nothing")

    assert list(enrollments) == []


@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "bytes"])
def test_a_file_mixes_devices_and_groups(encode: Callable[[str], str | bytes]) -> None:
    """A JSON list of what the service API takes."""
    document = json.dumps([each.to_json() for each in (DEVICE, GROUP, NAMED)])

    assert read_enrollments(encode(document)) == (DEVICE, GROUP, NAMED)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "the enrollments are not JSON"),
        (b"\xff\xff", "the enrollments are not JSON"),
        (b"[" * 100_000, "the enrollments are not JSON"),
        (b"{}", "the enrollments are not a JSON list"),
        (b"[1]", "enrollment 0 is not an object"),
        (
            b'[{"registrationId": "a"}]',
            "enrollment 0 (registrationId 'a'): attestation is missing",
        ),
    ],
    ids=["empty", "not UTF-8", "too deep", "no list", "no object", "no attestation"],
)
def test_files_that_cannot_be_read(document: bytes, message: str) -> None:
    """The message says which entry and which member."""
    with pytest.raises(ConfigurationError) as wrong:
        read_enrollments(document)

    assert wrong.value.message == message


def test_an_id_stands_once_in_a_file() -> None:
    """In any casing; a device and a group may share one."""
    again = DEVICE.to_json() | {"registrationId": "DEVICE-1"}
    group = NAMED.to_json() | {"enrollmentGroupId": "device-1"}
    document = json.dumps([DEVICE.to_json(), group, again])
    with pytest.raises(ConfigurationError, match="enrollment 2 has the id of enrollment 0"):
        read_enrollments(document)
