"""Reading an enrollment from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.certificates import certify, root

from aiodps.emulator.protocol.x509 import certificate_info
from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
    ReprovisionPolicy,
)
from aiodps.emulator.service.enrollments.json import (
    API_VERSIONS,
    known_members,
    read_enrollment,
    show_enrollment,
    show_mechanism,
)
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
)
from aiodps.emulator.service.enrollments.store import Enrollments
from aiodps.errors import ConfigurationError

PEM = certify().certificate_pem.decode()
X509 = {"type": "x509", "x509": {"clientCertificates": {"primary": {"certificate": PEM}}}}
TPM = {"type": "tpm", "tpm": {"endorsementKey": "AAAA"}}
REFERENCE = {"type": "x509", "x509": {"caReferences": {"primary": "my-root"}}}


def test_an_individual_enrollment_as_az_writes_it() -> None:
    """Members that decide nothing are kept; `registrationId` makes it one device's."""
    document = {
        "registrationId": "device-1",
        "deviceId": "robot",
        "attestation": X509,
        "provisioningStatus": "disabled",
        "allocationPolicy": "static",
        "iotHubHostName": None,
        "iotHubs": ["hub-1.azure-devices.net"],
        "capabilities": {"iotEdge": False},
        "initialTwin": {"tags": {}, "properties": {"desired": {"a": 1}}},
        "optionalDeviceInformation": {},
        "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
    }
    enrollment = read_enrollment(document, source="enrollment 0")

    assert isinstance(enrollment, IndividualEnrollment)
    assert (enrollment.registration_id, enrollment.device_id) == ("device-1", "robot")
    assert not enrollment.enabled
    assert enrollment.allocation == Allocation(
        policy=AllocationPolicy.STATIC, hubs=("hub-1.azure-devices.net",)
    )
    assert enrollment.reprovision_policy == ReprovisionPolicy()
    assert enrollment.initial_twin == document["initialTwin"]
    assert set(enrollment.others) == {"capabilities", "optionalDeviceInformation"}


def test_what_the_service_adds() -> None:
    """Etag and dates are read where they stand, as from a state; what came of it is not."""
    document = {
        "enrollmentGroupId": "g",
        "attestation": REFERENCE,
        "etag": '"a"',
        "createdDateTimeUtc": "1970-01-01T00:00:01.5000000Z",
        "lastUpdatedDateTimeUtc": "1970-01-01T00:00:02Z",
        "registrationState": {"status": "assigned"},
        "deviceTypeRefs": ["lamp"],
        "unheardOf": None,
    }
    enrollment = read_enrollment(document, source="enrollment 0")

    assert (enrollment.etag, enrollment.created, enrollment.updated) == ('"a"', 1.5, 2.0)
    assert enrollment.others == {"deviceTypeRefs": ["lamp"]}
    written = enrollment.to_json()
    assert written["createdDateTimeUtc"] == "1970-01-01T00:00:01.5000000Z"
    assert read_enrollment(written, source="again").updated == 2.0


def test_a_webhook_may_have_a_key_in_its_url() -> None:
    """It is kept, and stays out of the repr."""
    webhook = {"webhookUrl": "https://localhost/a?code=secret", "apiVersion": "2021-10-01"}
    document = {
        "enrollmentGroupId": "g",
        "attestation": REFERENCE,
        "allocationPolicy": "custom",
        "customAllocationDefinition": webhook,
    }
    enrollment = read_enrollment(document, source="enrollment 0")

    assert enrollment.custom_allocation is not None
    assert enrollment.custom_allocation.to_json() == webhook
    assert enrollment.to_json()["customAllocationDefinition"] == webhook
    assert "secret" not in repr(enrollment)


def test_a_group() -> None:
    """`enrollmentGroupId` makes it a group."""
    document = {"enrollmentGroupId": "all of them", "attestation": REFERENCE}
    enrollment = read_enrollment(document, source="enrollment 0")

    assert enrollment == EnrollmentGroup(
        enrollment_group_id="all of them", attestation=CaReferences(primary="my-root")
    )
    assert enrollment.enabled


@pytest.mark.parametrize(
    "enrollment",
    [
        IndividualEnrollment.x509(registration_id="a", certificate=PEM),
        IndividualEnrollment.x509(
            registration_id="a",
            certificate=PEM,
            secondary=certify().certificate,
            device_id="b",
            hub="h",
            enabled=False,
        ),
        EnrollmentGroup.signed_by(
            root().certificate_pem, enrollment_group_id="g", secondary=PEM, hub="h"
        ),
        EnrollmentGroup.of_ca("my-root", enrollment_group_id="g", enabled=False),
        EnrollmentGroup(
            enrollment_group_id="g",
            attestation=CaReferences(primary="r"),
            allocation=Allocation(policy=AllocationPolicy.HASHED, hub="h", hubs=("i", "j")),
            reprovision_policy=ReprovisionPolicy(migrate_device_data=False),
            initial_twin={"tags": {}},
            others={"capabilities": {"iotEdge": True}},
        ),
    ],
    ids=["small device", "large device", "group by CA", "group by name", "group by hand"],
)
def test_there_and_back(enrollment: Enrollment) -> None:
    """What is written can be read, through JSON, and is the same."""
    written = json.dumps(enrollment.to_json())

    assert read_enrollment(json.loads(written), source="enrollment 0") == enrollment


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "enrollment 7 has 0 of registrationId and enrollmentGroupId"),
        (
            {"registrationId": "a", "enrollmentGroupId": "b"},
            "enrollment 7 has 2 of registrationId and enrollmentGroupId",
        ),
        (
            {"registrationId": "a b", "attestation": X509},
            "enrollment 7 (registrationId 'a b'): registrationId is not a registration id",
        ),
        (
            {"registrationId": 5, "attestation": X509},
            "enrollment 7 (registrationId 5): registrationId is not a string",
        ),
        ({"registrationId": "a"}, "enrollment 7 (registrationId 'a'): attestation is missing"),
        (
            {"registrationId": "a", "attestation": REFERENCE},
            (
                "enrollment 7 (registrationId 'a'): attestation is for groups;"
                " clientCertificates are needed"
            ),
        ),
        (
            {"enrollmentGroupId": "g", "attestation": X509},
            (
                "enrollment 7 (enrollmentGroupId 'g'): attestation is for individual enrollments;"
                " signingCertificates or caReferences are needed"
            ),
        ),
        (
            {"registrationId": "a", "attestation": X509, "provisioningStatus": "on"},
            (
                "enrollment 7 (registrationId 'a'): provisioningStatus is 'on', not one of: enabled,"
                " disabled"
            ),
        ),
        (
            {"enrollmentGroupId": "g", "attestation": TPM},
            "enrollment 7 (enrollmentGroupId 'g'): attestation is a TPM, which is for individual enrollments",
        ),
        (
            {"registrationId": "a", "attestation": X509, "capabilities": {"iotEdge": 1}},
            "enrollment 7 (registrationId 'a'): capabilities.iotEdge is neither true nor false",
        ),
        (
            {"registrationId": "a", "attestation": X509, "createdDateTimeUtc": "now"},
            "enrollment 7 (registrationId 'a'): createdDateTimeUtc is not a time",
        ),
        (
            {"registrationId": "a", "attestation": X509, "iotHubs": "h"},
            "enrollment 7 (registrationId 'a'): iotHubs is not a list of strings",
        ),
        (
            {"registrationId": "a", "attestation": X509, "allocationPolicy": "random"},
            (
                "enrollment 7 (registrationId 'a'): allocationPolicy is 'random', not one of: hashed,"
                " geoLatency, static, custom"
            ),
        ),
    ],
    ids=lambda value: value[:70] if isinstance(value, str) else "",
)
def test_what_cannot_be_read(document: dict[str, Any], message: str) -> None:
    """The message names the entry by number and id, and the member."""
    with pytest.raises(ConfigurationError) as wrong:
        read_enrollment(document, source="enrollment 7")

    assert wrong.value.message == message


CERTIFICATE = certify().certificate
ENROLLED = EnrolledCertificate.of(CERTIFICATE)
KEYS = SymmetricKeys(primary="A" * 64, secondary="B" * 64)


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("reprovisionPolicy", {each for each in API_VERSIONS if each > "2018-09"}),
        (
            "credentialPolicyName",
            {"2025-07-01-preview", "2026-04-01", "2026-07-01-preview"},
        ),
        ("namespaceName", {"2026-11-01", "2026-11-02-preview", "2026-11-15-preview"}),
        ("certificatePolicyName", {"2026-11-01", "2026-11-02-preview", "2026-11-15-preview"}),
        ("deviceTypeRefs", {"2026-11-02-preview", "2026-11-15-preview"}),
        ("deviceId", API_VERSIONS),
    ],
)
def test_members_come_and_go_with_versions(name: str, versions: set[str]) -> None:
    """Source: the published specifications of the versions."""
    known = {each for each in API_VERSIONS if known_members({name: "a"}, api_version=each)}

    assert known == versions


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"deviceTypeRefs": ["a", "b"]}, "deviceTypeRefs"),
        ({"deviceTypeRefs": "a"}, "deviceTypeRefs"),
    ],
)
def test_device_types(members: dict[str, Any], fault: str) -> None:
    """Source: the published specification, 2026-11-01."""
    enrollment = {"registrationId": "a", "attestation": {"type": "symmetricKey"}}
    good = {"deviceTypeRefs": ["a"]}

    assert read_enrollment({**enrollment, **good}, source="it").others == good
    with pytest.raises(ConfigurationError, match=fault):
        read_enrollment({**enrollment, **good, **members}, source="it")


def test_keys_are_shown_where_they_belong() -> None:
    """In the answer to a PUT, but not to a GET."""
    (stored,) = Enrollments([IndividualEnrollment(registration_id="a", attestation=KEYS)])
    secret = show_enrollment(stored, api_version="2021-10-01", keys=True)
    plain = show_enrollment(stored, api_version="2021-10-01", keys=False)

    keys = {"primaryKey": KEYS.primary, "secondaryKey": KEYS.secondary}
    assert secret["attestation"] == {"type": "symmetricKey", "symmetricKey": keys}
    assert plain == secret | {"attestation": {"type": "symmetricKey"}}


def test_an_enrollment_is_what_microsoft_prints() -> None:
    """Source: Microsoft Learn, "How to use custom allocation policies": what a webhook is told."""
    printed = {
        "enrollmentGroupId": "contoso-custom-allocated-devices",
        "attestation": {"type": "symmetricKey"},
        "capabilities": {"iotEdge": False},
        "etag": '"0000f176-0000-0700-0000-62eaad1e0000"',
        "provisioningStatus": "enabled",
        "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
        "createdDateTimeUtc": "2022-08-03T17:15:10.8464255Z",
        "lastUpdatedDateTimeUtc": "2022-08-03T17:15:10.8464255Z",
        "allocationPolicy": "custom",
        "iotHubs": ["contoso-toasters-hub-1098.azure-devices.net"],
        "customAllocationDefinition": {"webhookUrl": "https://h/a", "apiVersion": "2021-10-01"},
    }
    enrollment = read_enrollment({**printed, "capabilities": None}, source="")
    shown = show_enrollment(enrollment, api_version="2021-10-01", keys=False)
    written = {name: shown[name] for name in printed if not name.endswith("DateTimeUtc")}

    assert list(shown) == list(printed)
    assert written == {name: printed[name] for name in written}


def test_of_certificates_only_what_they_say() -> None:
    """Source: `X509CertificateWithInfo`; the service keeps the certificate to itself."""
    info = {"info": certificate_info(CERTIFICATE)}
    client = show_mechanism(ClientCertificates(primary=ENROLLED), keys=True)
    signing = SigningCertificates(primary=ENROLLED, secondary=ENROLLED)

    assert client == {"type": "x509", "x509": {"clientCertificates": {"primary": info}}}
    assert show_mechanism(signing, keys=False) == {
        "type": "x509",
        "x509": {"signingCertificates": {"primary": info, "secondary": info}},
    }


def test_what_is_no_secret_is_always_shown() -> None:
    """Names of CAs, and the public halves of a TPM's keys."""
    references = CaReferences(primary="root")
    tpm = TpmKeys(endorsement_key="AAAA")

    assert show_mechanism(references, keys=False)["x509"] == {"caReferences": {"primary": "root"}}
    assert show_mechanism(tpm, keys=False)["tpm"] == {"endorsementKey": "AAAA"}
