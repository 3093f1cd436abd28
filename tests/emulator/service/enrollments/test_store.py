"""The enrollments of an instance, and the file they come from."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable

import pytest
from tests.certificates import certify, other_root, root
from tests.emulator.dict_store import DictStore
from tests.emulator.instance import GUID

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.x509 import thumbprint
from aiodps.emulator.service.enrollments.mechanisms import (
    ClientCertificates,
    EnrolledCertificate,
    SymmetricKeys,
)
from aiodps.emulator.service.enrollments.store import (
    EnrollmentGroup,
    Enrollments,
    IndividualEnrollment,
    read_enrollments,
)
from aiodps.emulator.state.store import Kind
from aiodps.errors import ConfigurationError

CERTIFICATE = certify().certificate
DEVICE = IndividualEnrollment.x509(registration_id="Device-1", certificate=CERTIFICATE)
GROUP = EnrollmentGroup.signed_by(
    root().certificate,
    enrollment_group_id="All",
    secondary=other_root().certificate,
)
NAMED = EnrollmentGroup.of_ca("My-Root", enrollment_group_id="Named")
KEYS = SymmetricKeys(primary="A" * 64, secondary="B" * 64)
ROOT = thumbprint(root().certificate)
OTHER = thumbprint(other_root().certificate)


def test_ids_are_found_in_any_casing() -> None:
    """Devices and groups alike."""
    enrollments = Enrollments([DEVICE, GROUP])

    assert enrollments.individual("dEVICE-1") == DEVICE
    assert enrollments.group("aLL") == GROUP
    assert enrollments.individual("All") is None
    assert enrollments.group("device-1") is None
    assert list(enrollments) == [DEVICE, GROUP]


def test_groups_are_found_by_their_cas() -> None:
    """By either certificate, or by a name that the CA has on the instance."""
    enrollments = Enrollments([GROUP, NAMED])

    assert enrollments.group_signed_by(ROOT) == GROUP
    assert enrollments.group_signed_by(OTHER) == GROUP
    assert enrollments.group_of_ca(["other", "MY-ROOT"]) == NAMED
    assert enrollments.group_of_ca(["other"]) is None


def test_of_two_groups_of_one_ca_the_older_one_counts() -> None:
    """Until it is removed."""
    younger = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="Younger")
    enrollments = Enrollments([GROUP, younger])
    before = enrollments.group_signed_by(ROOT)
    enrollments.remove(GROUP)

    assert before == GROUP
    assert enrollments.group_signed_by(ROOT) == younger
    assert enrollments.group_signed_by(OTHER) is None


def test_a_changed_enrollment_takes_the_place_of_the_old_one() -> None:
    """What it no longer says is forgotten."""
    keys = EnrollmentGroup(enrollment_group_id="keys", attestation=KEYS)
    enrollments = Enrollments([DEVICE, GROUP, keys])
    moved = EnrollmentGroup.of_ca("My-Root", enrollment_group_id="all")
    enrollments.put(moved)

    assert list(enrollments) == [DEVICE, moved, keys]
    assert enrollments.group_signed_by(ROOT) is None


def test_removing() -> None:
    """What is not there is removed already."""
    enrollments = Enrollments([DEVICE])
    enrollments.remove(DEVICE)
    enrollments.remove(DEVICE)
    enrollments.remove(GROUP)

    assert list(enrollments) == []


def test_what_an_instance_adds() -> None:
    """An etag that changes each time, and dates; of these the first one stays."""
    enrollments = Enrollments()
    first = enrollments.put(DEVICE, now=1000.0)
    second = enrollments.put(first, now=2000.0)

    assert (first.created, first.updated) == (1000.0, 1000.0)
    assert (second.created, second.updated) == (1000.0, 2000.0)
    assert re.fullmatch(rf'"{GUID}"', first.etag)
    assert first.etag != second.etag
    assert enrollments.individual("device-1") is second


@pytest.mark.parametrize("form", ["{}", "quotes"], ids=["as it is", "without quotes"])
def test_a_change_of_what_the_writer_saw(form: str) -> None:
    """With the etag of it, or any; what is not there has no etag."""
    enrollments = Enrollments()
    etag = enrollments.put(DEVICE, if_match="*").etag
    changed = enrollments.put(DEVICE, if_match=etag if form == "{}" else etag.strip('"'))

    with pytest.raises(Refusal, match="Precondition failed"):
        enrollments.put(DEVICE, if_match=etag)
    with pytest.raises(Refusal, match="Precondition failed"):
        enrollments.remove(changed, if_match=etag)
    with pytest.raises(Refusal, match="Precondition failed"):
        enrollments.put(GROUP, if_match=etag)

    assert list(enrollments) == [changed]
    enrollments.put(DEVICE, if_match="*")
    enrollments.remove(changed, if_match=changed.etag)
    assert list(enrollments) == []


def test_removing_a_group_frees_its_ca() -> None:
    """Nobody is let in by it any more."""
    enrollments = Enrollments([GROUP])
    enrollments.remove(GROUP)

    assert enrollments.group_signed_by(ROOT) is None


def test_keys_are_made_where_there_are_none() -> None:
    """64 bytes each, two, and others for the next one."""
    enrollments = Enrollments()
    made = [
        enrollments.put(EnrollmentGroup(enrollment_group_id=name, attestation=SymmetricKeys()))
        for name in ("a", "b")
    ]
    keys = {
        key
        for each in made
        if isinstance(each.attestation, SymmetricKeys)
        for key in (each.attestation.primary, each.attestation.secondary)
        if key is not None
    }

    assert len(keys) == 4
    assert {len(base64.b64decode(key)) for key in keys} == {64}


def test_a_key_that_was_given_stays() -> None:
    """Only the other one is made; and put again without keys, both are what they were."""
    enrollments = Enrollments()
    given = SymmetricKeys(primary=KEYS.primary)
    first = enrollments.put(EnrollmentGroup(enrollment_group_id="a", attestation=given))
    again = enrollments.put(EnrollmentGroup(enrollment_group_id="a", attestation=SymmetricKeys()))

    assert isinstance(first.attestation, SymmetricKeys)
    assert first.attestation.primary == KEYS.primary
    assert first.attestation.secondary not in {None, KEYS.primary}
    assert again.attestation == first.attestation


def test_what_was_shown_can_be_put_back() -> None:
    """The service API shows `info` alone; a certificate that the instance has is not lost."""
    enrollments = Enrollments([DEVICE])
    shown = EnrolledCertificate(thumbprint=thumbprint(CERTIFICATE))
    moved = EnrolledCertificate(thumbprint="AB" * 32)
    attestation = ClientCertificates(primary=moved, secondary=shown)
    again = enrollments.put(
        IndividualEnrollment(registration_id="device-1", attestation=attestation)
    )

    assert isinstance(again, IndividualEnrollment)
    assert isinstance(again.attestation, ClientCertificates)
    assert again.attestation.primary == moved
    assert again.attestation.secondary is not None
    assert again.attestation.secondary.certificate == CERTIFICATE


@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "bytes"])
def test_a_file_mixes_devices_and_groups(encode: Callable[[str], str | bytes]) -> None:
    """A JSON list of what the service API takes."""
    document = json.dumps([each.to_json() for each in (DEVICE, GROUP, NAMED)])

    assert read_enrollments(encode(document)) == (DEVICE, GROUP, NAMED)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "the enrollments are not JSON in line 1, column 1: Expecting value"),
        (b"\xff\xff", "the enrollments are not JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000, "the enrollments are not JSON: too deep"),
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

    assert wrong.value.message.startswith(message)


def test_an_id_stands_once_in_a_file() -> None:
    """In any casing; a device and a group may share one."""
    again = DEVICE.to_json() | {"registrationId": "DEVICE-1"}
    group = NAMED.to_json() | {"enrollmentGroupId": "device-1"}
    document = json.dumps([DEVICE.to_json(), group, again])
    with pytest.raises(ConfigurationError, match="enrollment 2 has the id of enrollment 0"):
        read_enrollments(document)


def test_a_store_gives_back_what_it_was_given() -> None:
    """To the bit: keys, etags and dates, and which of two groups of a CA is the older one."""
    store = DictStore()
    gone = (
        IndividualEnrollment(registration_id="gone", attestation=SymmetricKeys()),
        EnrollmentGroup.of_ca("gone", enrollment_group_id="gone"),
    )
    before = Enrollments(
        [
            EnrollmentGroup(enrollment_group_id="Z-keys", attestation=SymmetricKeys()),
            EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="older"),
            EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="newer"),
            IndividualEnrollment(registration_id="Device-1", attestation=SymmetricKeys()),
            *gone,
        ],
        store=store,
    )
    for each in gone:
        before.remove(each)

    after = Enrollments(store=store)

    assert [(each, each.etag, each.created, each.updated) for each in after] == [
        (each, each.etag, each.created, each.updated) for each in before
    ]
    found = after.group_signed_by(thumbprint(root().certificate))
    assert found is not None
    assert found.enrollment_group_id == "older"
    assert len(after.groups_of_keys()) == 1


def test_what_the_store_has_counts_more_than_what_is_given_to_begin_with() -> None:
    """So that a start does not undo what was changed since the last one."""
    store = DictStore()
    Enrollments([EnrollmentGroup.of_ca("ca", enrollment_group_id="a", enabled=False)], store=store)
    after = Enrollments(
        [
            EnrollmentGroup.of_ca("ca", enrollment_group_id="A"),
            EnrollmentGroup.of_ca("ca", enrollment_group_id="b"),
        ],
        store=store,
    )

    assert [each.enabled for each in after] == [False, True]
    assert len(list(store.load(Kind.GROUP))) == 2
