"""What is no enrollment for the service is none, whichever way it comes."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import root, self_signed
from tests.emulator.administrator import KEYS, Administrator
from tests.emulator.instance import HUB, instance

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.emulator.service.enrollments.store import read_enrollments
from aiodps.errors import ConfigurationError
from aiodps.pki import Credential

WEBHOOK = {"webhookUrl": "https://example.org/api/choose?code=1", "apiVersion": "2021-10-01"}


def signed_by(ca: Credential) -> dict[str, Any]:
    """Write an attestation by this CA."""
    der = base64.b64encode(ca.certificate.public_bytes(Encoding.DER)).decode()
    return {"type": "x509", "x509": {"signingCertificates": {"primary": {"certificate": der}}}}


def group(**members: Any) -> dict[str, Any]:
    """Write a group of symmetric keys."""
    return {"enrollmentGroupId": "line-4", "attestation": KEYS, **members}


REGISTRY = {
    "namespaceName": "my-namespace",
    "certificateAuthorityName": "CA-1",
    "certificatePolicyName": "x" * 63,
}
REFUSED = {
    **{
        f"{name} {text}": (group(**REGISTRY | {name: text}), 400004, f"{name} is not 3 to 64")
        for name, text in (
            ("namespaceName", "My-Namespace"),
            ("namespaceName", "ab"),
            ("certificateAuthorityName", "-ca"),
            ("certificatePolicyName", "x" * 64),
        )
    },
    "a group id with a space": (group(enrollmentGroupId="My Group"), 400000, "Invalid enrollm"),
    "custom without definition": (
        group(allocationPolicy="custom"),
        400004,
        "A CustomAllocationDefinition is required when the allocation policy is set to 'Custom'.",
    ),
    **{
        f"webhook at {url}": (
            group(
                allocationPolicy="custom", customAllocationDefinition=WEBHOOK | {"webhookUrl": url}
            ),
            400004,
            "webhookUrl is not an http or https URL",
        )
        for url in ("nonsense", "ftp://example.org/", "https://", "http://[", "http://a:99999/")
    },
    "static without a hub": (group(allocationPolicy="static"), 400004, "one IoT hub, not 0"),
    "static with two hubs": (
        group(allocationPolicy="static", iotHubs=[HUB, "other.azure-devices.net"]),
        400004,
        "one IoT hub, not 2",
    ),
    "a signing certificate that is not a CA": (
        group(attestation=signed_by(self_signed("lamp"))),
        400004,
        "'CN=lamp' is not a CA certificate",
    ),
    "capabilities without iotEdge": (
        {"registrationId": "a", "attestation": KEYS, "capabilities": {}},
        400004,
        "capabilities.iotEdge is missing",
    ),
}


@pytest.mark.parametrize(("document", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_alike(document: dict[str, Any], code: int, words: str) -> None:
    """By the service API, and at the start; the page and Python go the API's way."""
    service = instance(linked_hubs=(HUB, "other.azure-devices.net"))
    admin = Administrator(service, api_version="2026-11-01")
    kind, member = (
        ("enrollmentGroups", "enrollmentGroupId")
        if "enrollmentGroupId" in document
        else ("enrollments", "registrationId")
    )
    response = admin.send("PUT", f"/{kind}/{document[member].replace(' ', '%20')}", document)
    assert isinstance(response.body, dict)

    assert response.body["errorCode"] == code
    assert words in response.body["message"]
    with pytest.raises(ConfigurationError) as caught:
        instance(*read_enrollments(json.dumps([document])))

    assert words in caught.value.message


@pytest.mark.parametrize(
    "members",
    [
        {"allocationPolicy": "static", "iotHubs": [HUB]},
        {"allocationPolicy": "static", "iotHubHostName": HUB},
        {"allocationPolicy": "custom", "customAllocationDefinition": WEBHOOK},
        {"attestation": signed_by(root())},
        {"capabilities": {"iotEdge": True}},
        REGISTRY,
    ],
)
def test_stored(members: dict[str, Any]) -> None:
    """What keeps the rules is stored, and can be put back as it is shown."""
    admin = Administrator(api_version="2026-11-01")
    shown = admin.call("PUT", "/enrollmentGroups/line-4", group(**members))

    assert admin.call("PUT", "/enrollmentGroups/line-4", shown, if_match="*")


def test_hubs_that_are_not_linked() -> None:
    """An enrollment may name linked hubs only, whatever its policy."""
    admin = Administrator()
    for members in ({"iotHubHostName": "new.azure-devices.net"}, {"iotHubs": [HUB, "new"]}):
        assert admin.refused("PUT", "/enrollmentGroups/line-4", group(**members)) == 400004


def test_references_to_ca_certificates() -> None:
    """They must exist when the group is stored."""
    references = EnrollmentGroup.of_ca("ca-0", enrollment_group_id="by-name")
    with pytest.raises(Refusal, match="no CA certificate 'ca-0'"):
        instance().enroll(references, now=0.0)

    assert instance(verified=[root()]).enroll(references, now=0.0).id == "by-name"


def test_a_certificate_of_another_name_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The service stores it without a word, so the operator gets one."""
    der = base64.b64encode(self_signed("lamp").certificate.public_bytes(Encoding.DER)).decode()
    for name in ("other", "LAMP"):
        document = {
            "registrationId": name,
            "attestation": {
                "type": "x509",
                "x509": {"clientCertificates": {"primary": {"certificate": der}}},
            },
        }
        with caplog.at_level(logging.WARNING):
            instance().enroll(read_enrollment(document, source="test"), now=0.0)

    (told,) = caplog.messages
    assert told.startswith("enrollment other: no device can register with its certificate")
