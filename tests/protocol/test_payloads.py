"""Group J, the content: bodies of the service are read tolerantly, but never wrongly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from aiodps.errors import (
    ConfigurationError,
    IdentityMismatchError,
    MalformedResponseError,
    ProvisioningError,
    UnknownStatusError,
    UntrustedHubError,
)
from aiodps.models import RegistrationStatus, Substatus
from aiodps.protocol.messages import TpmKeys
from aiodps.protocol.payloads import (
    check_payload,
    check_same_device,
    hub_challenge,
    parse_assignment,
    parse_error,
    parse_operation,
    parse_record,
    registration_body,
    state_error,
)

OPERATION_ID = "5.316aac5bdc130deb.b1e02da8-9d29-4f1b-9f1c-7c8f9d0e1a2b"

ASSIGNED_STATE: dict[str, Any] = {
    "x509": {"enrollmentGroupId": "line-4"},
    "registrationId": "dev-1",
    "createdDateTimeUtc": "2020-04-10T03:11:13.0276997Z",
    "assignedHub": "contoso.azure-devices.net",
    "deviceId": "dev-1",
    "status": "assigned",
    "substatus": "initialAssignment",
    "lastUpdatedDateTimeUtc": "2020-04-10T03:11:13.2096201Z",
    "etag": "IjYxMDA4ZDQ2LTAwMDAtMDEwMC0wMDAwLTVlOGZlM2QxMDAwMCI=",
    "payload": {"hello": "world"},
    "issuedCertificateChain": ["MIIB", "MIIC"],
    "futureMember": 1,
}
"""Shape of a live answer of api-version 2019-03-31: Azure SDK for C, provisioning tests."""


def body(**members: object) -> bytes:
    """Make a body."""
    return json.dumps(members).encode()


def test_first_answer() -> None:
    """The first 202 has an operation id and no registrationState (REST reference, 2021-10-01)."""
    operation = parse_operation(body(operationId=OPERATION_ID, status="assigning"))

    assert operation.operation_id == OPERATION_ID
    assert operation.status is RegistrationStatus.ASSIGNING
    assert operation.state == {}


def test_assignment() -> None:
    """Everything the service says about an assigned device is there, unknown members too."""
    assignment = parse_assignment(ASSIGNED_STATE, registration_id="dev-1", transport="rest")

    assert assignment.assigned_hub == "contoso.azure-devices.net"
    assert assignment.device_id == "dev-1"
    assert assignment.substatus is Substatus.INITIAL_ASSIGNMENT
    assert assignment.created == datetime(2020, 4, 10, 3, 11, 13, 27699, tzinfo=UTC)
    assert assignment.enrollment_group_id == "line-4"
    assert assignment.payload == {"hello": "world"}
    assert assignment.issued_certificate_chain == ("MIIB", "MIIC")
    assert assignment.raw["futureMember"] == 1


def test_record() -> None:
    """A look-up returns the state itself (REST reference, DeviceRegistrationResult)."""
    record = parse_record(body(**ASSIGNED_STATE), registration_id="dev-1", transport="rest")
    assignment = parse_assignment(ASSIGNED_STATE, registration_id="dev-1", transport="rest")

    for name in ("status", "substatus", "assigned_hub", "device_id", "created", "updated", "etag"):
        assert getattr(record, name) == getattr(assignment, name)

    assert record.payload == {"hello": "world"}
    assert record.enrollment_group_id == "line-4"
    assert (record.error_code, record.error_message) == (None, None)
    assert record.raw["futureMember"] == 1
    assert "world" not in repr(record)


def test_record_of_a_failure() -> None:
    """Why it failed is told; what the service leaves out is None."""
    record = parse_record(
        body(status="failed", errorCode=400207, errorMessage="no\nhub"),
        registration_id="dev-1",
        transport="rest",
    )

    assert (record.error_code, record.error_message) == (400207, "no hub")
    assert {record.assigned_hub, record.device_id, record.created, record.etag} == {None}


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"status": "assigned", "deviceId": "a/b"}, MalformedResponseError),
        ({"status": "assigned", "assignedHub": 1}, UntrustedHubError),
        ({"status": "lost"}, UnknownStatusError),
        ({"status": "assigned", "registrationId": "dev-2"}, IdentityMismatchError),
    ],
)
def test_records_that_cannot_be_right(
    members: dict[str, object], error: type[ProvisioningError]
) -> None:
    """What is there has to be valid, as in an assignment."""
    with pytest.raises(error):
        parse_record(body(**members), registration_id="dev-1", transport="rest")


def test_symmetric_key_group() -> None:
    """A group id is found with either mechanism, and is None for an individual enrollment."""
    state = {**ASSIGNED_STATE, "x509": {}, "symmetricKey": {"enrollmentGroupId": "keys"}}

    assert parse_assignment(state, registration_id="dev-1", transport="mqtt").enrollment_group_id
    state = {**ASSIGNED_STATE, "x509": {"enrollmentGroupId": 7}, "symmetricKey": None}
    assignment = parse_assignment(state, registration_id="dev-1", transport="mqtt")
    assert assignment.enrollment_group_id is None


def test_a_chain_with_odd_elements() -> None:
    """They are not passed over: whoever asked for a certificate has to see that it is damaged."""
    state = {**ASSIGNED_STATE, "issuedCertificateChain": ["MIIB", 5, None]}
    assignment = parse_assignment(state, registration_id="dev-1", transport="rest")

    assert assignment.issued_certificate_chain == ("MIIB", "", "")


def test_odd_details_are_kept() -> None:
    """J22, J23, J24: details that are odd do not cost the device its assignment."""
    odd: dict[str, Any] = {
        "substatus": "somethingNew",
        "createdDateTimeUtc": "yesterday",
        "lastUpdatedDateTimeUtc": "2020-04-10T03:11:13",
        "etag": 7,
        "payload": None,
        "issuedCertificateChain": "MIIB",
        "registrationId": "DEV-1",
    }
    assignment = parse_assignment(
        {**ASSIGNED_STATE, **odd}, registration_id="dev-1", transport="rest"
    )

    assert assignment.substatus == "somethingNew"
    assert (assignment.created, assignment.updated, assignment.etag) == (None, None, None)
    assert assignment.issued_certificate_chain == ()
    bare = {key: ASSIGNED_STATE[key] for key in ("assignedHub", "deviceId")}
    assert parse_assignment(bare, registration_id="d", transport="rest").substatus is None


@pytest.mark.parametrize(
    "operation_id",
    [7, [], "x" * 10_000, "a/b", "a?b", "a#b", "a\r\nb", "a b", "a&b", "a%b", "a$b", "a+b"],
    ids=str,
)
def test_bad_operation_ids(operation_id: object) -> None:
    """J11: an operation id that would change a URL or a topic is refused."""
    with pytest.raises(MalformedResponseError) as caught:
        parse_operation(body(operationId=operation_id, status="assigning"))

    assert caught.value.reason == "operationId"


@pytest.mark.parametrize("operation_id", [None, ""])
def test_absent_operation_id(operation_id: object) -> None:
    """An absent or empty operation id is None: seen with status disabled."""
    assert parse_operation(body(operationId=operation_id, status="disabled")).operation_id is None


@pytest.mark.parametrize("status", [None, "Assigned", "pending", 7, [], "x" * 500], ids=str)
def test_unknown_status(status: object) -> None:
    """J12: a status nobody knows is told, cut short."""
    with pytest.raises(UnknownStatusError) as caught:
        parse_operation(body(operationId=OPERATION_ID, status=status))

    assert len(caught.value.reason) <= 64


def test_state_has_to_be_an_object() -> None:
    """A registrationState that is no object is refused."""
    with pytest.raises(MalformedResponseError) as caught:
        parse_operation(body(operationId=OPERATION_ID, status="assigning", registrationState=[]))

    assert caught.value.reason == "registrationState"


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        pytest.param({"deviceId": None}, MalformedResponseError, "deviceId", id="J14-missing"),
        pytest.param({"deviceId": ""}, MalformedResponseError, "deviceId", id="J14-empty"),
        pytest.param({"deviceId": "x" * 129}, MalformedResponseError, "deviceId", id="J14-long"),
        pytest.param({"deviceId": "a/b"}, MalformedResponseError, "deviceId", id="J14-illegal"),
        pytest.param({"assignedHub": None}, MalformedResponseError, "assignedHub", id="J15-none"),
        *(
            pytest.param({"assignedHub": hub}, UntrustedHubError, ascii(hub), id=f"J15-{hub}")
            for hub in (
                "https://contoso.azure-devices.net/",
                "a@b.azure-devices.net",
                "10.0.0.1",
                "contoso.azure-devices.net:443",
                "contoso.evil.test",
                "contosoazure-devices.net",
                ".azure-devices.net",
                "contoso.azure-devices.net.evil.test",
                "contoso.azure-devices.net\n",
                "",
            )
        ),
        pytest.param({"assignedHub": 7}, UntrustedHubError, "7", id="J15-number"),
        pytest.param(
            {"registrationId": "dev-2"}, IdentityMismatchError, "response", id="J16-other"
        ),
        pytest.param({"registrationId": 7}, IdentityMismatchError, "response", id="J16-number"),
    ],
)
def test_assignments_that_cannot_be_right(
    change: dict[str, Any], error: type[ProvisioningError], reason: str
) -> None:
    """A hub or a device id that cannot be right is not handed on."""
    with pytest.raises(error) as caught:
        parse_assignment({**ASSIGNED_STATE, **change}, registration_id="dev-1", transport="rest")

    assert vars(caught.value)["reason"] == reason


def test_assigned_without_state() -> None:
    """J13: assigned without a registrationState says nothing."""
    with pytest.raises(MalformedResponseError) as caught:
        parse_assignment({}, registration_id="dev-1", transport="rest")

    assert caught.value.reason == "registrationState"


def test_a_hub_elsewhere_may_be_allowed() -> None:
    """The caller decides which other domains a hub may lie in."""
    state = {**ASSIGNED_STATE, "assignedHub": "Hub.Example.Test"}
    assignment = parse_assignment(
        state, registration_id="dev-1", transport="rest", hub_suffixes=(".example.test",)
    )

    assert assignment.assigned_hub == "Hub.Example.Test"


def test_same_device_without_a_name() -> None:
    """A state without a registration id is about us: the first answer has none."""
    check_same_device({}, "dev-1")


def test_error_body() -> None:
    """The service's error body is read whole (ProvisioningServiceErrorDetails)."""
    details = parse_error(
        body(
            errorCode=401002,
            trackingId="8ad0463c-6427-4479-9dfa-3e8bb7003e9b",
            message="CA certificate\n not found.",
            timestampUtc="2020-04-10T05:24:22.4718526Z",
        )
    )

    assert details.error_code == 401002
    assert details.message == "CA certificate not found."
    assert details.tracking_id == "8ad0463c-6427-4479-9dfa-3e8bb7003e9b"
    assert details.timestamp == "2020-04-10T05:24:22.4718526Z"


@pytest.mark.parametrize("text", [b"<html>", b"", b'{"errorCode":"x","message":7}', b"\xff"])
def test_error_body_that_cannot_be_read(text: bytes) -> None:
    """J25: an error that is not JSON is still an error, without details."""
    details = parse_error(text)

    assert (details.error_code, details.message, details.tracking_id) == (None, None, None)


def test_long_error_text_is_cut() -> None:
    """J25: a text of the service is cut to 512 characters."""
    assert len(parse_error(body(message="x" * 5000)).message or "") == 512


@pytest.mark.parametrize(("code", "read"), [(400208, 400208), (None, None), (True, None)])
def test_failed_state(code: object, read: int | None) -> None:
    """J19: why a registration failed is in its state."""
    details = state_error({"errorCode": code, "errorMessage": "no hub"})

    assert (details.error_code, details.message) == (read, "no hub")


def test_request_body() -> None:
    """The register body holds the registration id, and the payload if there is one."""
    assert json.loads(registration_body("dev-1", None)) == {"registrationId": "dev-1"}
    assert json.loads(registration_body("dev-1", {})) == {"registrationId": "dev-1", "payload": {}}


def test_the_body_of_a_device_that_asks_for_a_certificate() -> None:
    """The request as it is, beside the payload."""
    body = registration_body("dev-1", {"line": 4}, csr="MIIB")

    assert json.loads(body) == {
        "registrationId": "dev-1",
        "csr": "MIIB",
        "payload": {"line": 4},
    }


def deep(levels: int) -> dict[str, Any]:
    """Make an object of some depth."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}

    return value


CYCLIC: dict[str, Any] = {}
CYCLIC["me"] = CYCLIC


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        pytest.param({"a": [1, {2, 3}]}, "payload.a[1]", id="set"),
        pytest.param({"a": float("nan")}, "payload.a", id="nan"),
        pytest.param({"a": b"x"}, "payload.a", id="bytes"),
        pytest.param({1: 2}, "payload", id="key"),
        pytest.param({"a": 10**5000}, "payload.a", id="giant"),
        pytest.param(CYCLIC, "deep", id="cyclic"),
        pytest.param({"a": "x" * 98_400}, "98409 bytes", id="96KB"),
        pytest.param(deep(100), "deep", id="100-deep"),
        pytest.param([1], "list", id="list"),
        pytest.param("text", "str", id="text"),
    ],
)
def test_bad_payloads(payload: object, fault: str) -> None:
    """C08: what the service cannot take is refused, with its place and without its value."""
    with pytest.raises(ConfigurationError) as caught:
        check_payload(payload)

    assert caught.value.setting == "payload"
    assert fault in caught.value.message


def test_good_payloads() -> None:
    """None means to send none; of an object a plain copy is taken."""
    inner = MappingProxyType({"x": ()})
    payload = {"modelId": "dtmi:com:example;1", "n": [1, 2.5, None, True, inner]}

    assert check_payload(None) is None
    assert check_payload(payload) == {
        "modelId": "dtmi:com:example;1",
        "n": [1, 2.5, None, True, {"x": []}],
    }


def test_the_body_of_a_device_with_a_tpm() -> None:
    """Both public keys, in base64."""
    body = registration_body("dev-1", None, tpm=TpmKeys(b"endorsement", b"storage root"))

    assert json.loads(body) == {
        "registrationId": "dev-1",
        "tpm": {"endorsementKey": "ZW5kb3JzZW1lbnQ=", "storageRootKey": "c3RvcmFnZSByb290"},
    }


@pytest.mark.parametrize(
    ("state", "challenge"),
    [
        ({"tpm": {"authenticationKey": "AAEC"}}, b"\0\1\2"),
        ({"tpm": {"authenticationKey": "no base64!"}}, None),
        ({"tpm": {"authenticationKey": 1}}, None),
        ({"tpm": {"authenticationKey": ""}}, None),
        ({"tpm": "text"}, None),
        ({}, None),
    ],
)
def test_the_challenge_with_the_hubs_key(state: Any, challenge: bytes | None) -> None:
    """A device without a TPM has none, and one that cannot be read is none."""
    assert hub_challenge(state) == challenge
