"""How the service API shows enrollments."""

from __future__ import annotations

import pytest
from tests.certificates import certify

from aiodps.emulator.service.enrollment import IndividualEnrollment
from aiodps.emulator.service.enrollment_reader import read_enrollment
from aiodps.emulator.service.enrollments import Enrollments
from aiodps.emulator.service.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
)
from aiodps.emulator.service.shapes import (
    API_VERSIONS,
    known_members,
    show_enrollment,
    show_mechanism,
)
from aiodps.emulator.service.x509_rules import certificate_info

CERTIFICATE = certify().certificate
ENROLLED = EnrolledCertificate.of(CERTIFICATE)
KEYS = SymmetricKeys(primary="A" * 64, secondary="B" * 64)


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("reprovisionPolicy", {each for each in API_VERSIONS if each > "2018-09"}),
        (
            "credentialPolicyName",
            {"2025-07-01-preview", "2026-04-01", "2026-07-01-preview", "2026-11-01"},
        ),
        ("namespaceName", {"2026-11-02-preview", "2026-11-15-preview"}),
        ("certificatePolicyName", {"2026-11-02-preview", "2026-11-15-preview"}),
        ("deviceId", API_VERSIONS),
    ],
)
def test_members_come_and_go_with_versions(name: str, versions: set[str]) -> None:
    """Source: the published specifications of the versions."""
    known = {each for each in API_VERSIONS if known_members({name: "a"}, api_version=each)}

    assert known == versions


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
    enrollment = read_enrollment({**printed, "capabilities": None}, place="")
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
