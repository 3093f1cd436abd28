"""What the service decides: register, poll, look up, and all that it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import certify, self_signed
from tests.emulator.instance import (
    GUID,
    HUB,
    NOW,
    SCOPE,
    ask,
    instance,
    poll,
    provision,
    refused,
    register,
    shown,
)

from aiodps.emulator.protocol.api_versions import API_VERSIONS
from aiodps.emulator.protocol.messages import Identity, Operation, Request, Transport
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.service import Service
from aiodps.pki import Credential

DEVICE = self_signed()
KNOWN = shown(DEVICE)
CHAIN = shown(certify()).certificates


def enrolled(**more: Any) -> IndividualEnrollment:
    """Enrol `device-1`."""
    certificate = DEVICE.certificate
    return IndividualEnrollment.x509(registration_id="device-1", certificate=certificate, **more)


def test_register_is_accepted_first() -> None:
    """A register request is answered by 202, `assigning`, a time to wait, and nothing else."""
    response = register(instance(enrolled()), KNOWN)

    assert response.status_code == 202
    assert response.retry_after == 3
    assert set(response.body) == {"operationId", "status"}
    assert response.body["status"] == "assigning"
    assert re.fullmatch(rf"5\.[0-9a-f]{{16}}\.{GUID}", response.body["operationId"])


def test_assigned() -> None:
    """A poll tells where the device belongs.

    Source of members and their order: Microsoft Learn, "How to use X.509 certificates over HTTPS
    without an SDK", the answer of 2022-08-27.
    """
    response = provision(instance(enrolled()), KNOWN)
    state = response.body["registrationState"]

    assert response.status_code == 200
    assert response.retry_after is None
    assert list(response.body) == ["operationId", "status", "registrationState"]
    assert list(state) == [
        "x509",
        "registrationId",
        "createdDateTimeUtc",
        "assignedHub",
        "deviceId",
        "status",
        "substatus",
        "lastUpdatedDateTimeUtc",
        "etag",
    ]
    assert (response.body["status"], state["status"]) == ("assigned", "assigned")
    assert (state["x509"], state["substatus"]) == ({}, "initialAssignment")
    assert (state["assignedHub"], state["deviceId"]) == (HUB, "device-1")
    assert state["registrationId"] == "device-1"


def test_assigning_takes_its_time() -> None:
    """Until the operation is finished, polls are told to wait, with a bare registration state."""
    service = instance(enrolled(), assign_after=5.0)
    accepted = register(service, KNOWN)
    early = poll(service, KNOWN, accepted, now=NOW + 4.9)
    late = poll(service, KNOWN, accepted, now=NOW + 5.0)

    assert (early.status_code, early.retry_after) == (202, 3)
    assert early.body == {
        "operationId": accepted.body["operationId"],
        "status": "assigning",
        "registrationState": {"registrationId": "device-1", "status": "assigning"},
    }
    assert (late.status_code, late.body["status"]) == (200, "assigned")


def test_an_operation_goes_on_without_its_device() -> None:
    """The look-up finds a device assigned that never polled; its answer is not wrapped."""
    service = instance(enrolled(), assign_after=5.0)
    register(service, KNOWN)
    early = ask(service, Operation.STATUS_LOOKUP, KNOWN, now=NOW + 1)
    late = ask(service, Operation.STATUS_LOOKUP, KNOWN, now=NOW + 6)

    assert (early.status_code, early.body["status"]) == (200, "assigning")
    assert (late.status_code, late.body["assignedHub"]) == (200, HUB)


def test_disabled() -> None:
    """The device of a disabled enrollment is accepted, and told by the poll, as az expects."""
    service = instance(enrolled(enabled=False))
    accepted = register(service, KNOWN)
    response = poll(service, KNOWN, accepted)

    assert response.status_code == 200
    assert response.body == {
        "operationId": accepted.body["operationId"],
        "status": "disabled",
        "registrationState": {"registrationId": "device-1", "status": "disabled"},
    }


def test_failed() -> None:
    """A device that no hub can take is told so by the poll, with 200."""
    response = provision(instance(enrolled(), linked_hubs=()), KNOWN)
    state = response.body["registrationState"]

    assert (response.status_code, response.body["status"]) == (200, "failed")
    assert (state["status"], state["errorCode"]) == ("failed", 401001)
    assert state["errorMessage"]
    assert "assignedHub" not in state


def test_a_hub_that_is_not_linked() -> None:
    """An enrollment that comes later must name a hub that is linked."""
    service = instance()
    service.enrollments.put(enrolled(hub="elsewhere.azure-devices.net"))
    before = provision(service, KNOWN).body["status"]
    service.linked_hubs.append("elsewhere.azure-devices.net")
    after = provision(service, KNOWN).body["status"]

    assert (before, after) == ("failed", "assigned")


def test_device_id_and_hub_are_the_enrollments() -> None:
    """Hubs that the first enrollments name are linked; the device id may be any."""
    service = instance(enrolled(device_id="robot", hub="other.azure-devices.net"))
    state = provision(service, KNOWN).body["registrationState"]

    assert (state["deviceId"], state["assignedHub"]) == ("robot", "other.azure-devices.net")


def test_registering_again() -> None:
    """The second time, a device is told that it stays; when it came first stays true."""
    service = instance(enrolled())
    first = provision(service, KNOWN).body["registrationState"]
    second = provision(service, KNOWN, now=NOW + 60).body["registrationState"]

    assert second["substatus"] == "reprovisionedToInitialAssignment"
    assert second["createdDateTimeUtc"] == first["createdDateTimeUtc"]
    assert second["lastUpdatedDateTimeUtc"] > first["lastUpdatedDateTimeUtc"]
    assert second["etag"] != first["etag"]


def test_polling_again_changes_nothing() -> None:
    """Reading is not writing."""
    service = instance(enrolled())
    accepted = register(service, KNOWN)

    assert poll(service, KNOWN, accepted) == poll(service, KNOWN, accepted, now=NOW + 9)


def test_the_same_chance_gives_the_same_answers() -> None:
    """Ids come from the chance given and from nowhere else."""
    first, second = (provision(instance(enrolled()), KNOWN) for _ in range(2))

    assert first == second


def test_the_device_sees_its_own_spelling() -> None:
    """The state is told in the casing of the request."""
    accepted = provision(instance(enrolled()), KNOWN, registration_id="DEVICE-1")

    assert accepted.body["registrationState"]["registrationId"] == "DEVICE-1"


@pytest.mark.parametrize("api_version", sorted(API_VERSIONS))
def test_known_api_versions(api_version: str) -> None:
    """Every version of the device API that was ever published is taken."""
    response = provision(instance(enrolled()), KNOWN, api_version=api_version)

    assert response.body["status"] == "assigned"


@pytest.mark.parametrize("api_version", [None, "", "2019-03-32", "2023-03-01-preview"])
def test_unknown_api_versions(api_version: str | None) -> None:
    """Any other version is 400."""
    response = register(instance(enrolled()), KNOWN, api_version=api_version)

    assert refused(response)[:2] == (400, 400000)


def test_an_unknown_id_scope() -> None:
    """Another instance's id scope is 404, before anything is judged."""
    response = register(instance(enrolled()), Identity(), id_scope="0ne000B0B0B")

    assert refused(response) == (404, 404000, "ID scope not found.")


@pytest.mark.parametrize(
    "registration_id",
    ["", "a b", "a/b", "ä", "device-1.", "device-1\n", "x" * 129],
    ids=["empty", "space", "slash", "not ASCII", "ends in a dot", "line end", "too long"],
)
def test_illegal_registration_ids(registration_id: str) -> None:
    """What cannot be a registration id is 400."""
    response = register(instance(enrolled()), KNOWN, registration_id=registration_id)

    assert refused(response) == (400, 400000, "Invalid registration id.")


@pytest.mark.parametrize(
    "operation_id", [None, "", "5.0000000000000000.00000000-0000-0000-0000-000000000000"]
)
def test_unknown_operations(operation_id: str | None) -> None:
    """An operation that never was, or is forgotten, is 404203."""
    service = instance(enrolled())
    register(service, KNOWN)
    response = ask(service, Operation.OPERATION_STATUS, KNOWN, operation_id=operation_id)

    assert refused(response) == (404, 404203, "Operation not found.")


def test_the_operation_of_another_device() -> None:
    """An operation id is worth nothing to anybody else."""
    other = self_signed("device-2")
    service = instance(
        enrolled(),
        IndividualEnrollment.x509(registration_id="device-2", certificate=other.certificate),
    )
    accepted = register(service, KNOWN)
    answer = poll(service, shown(other), accepted, registration_id="device-2")

    assert refused(answer)[:2] == (404, 404203)
    assert refused(poll(service, shown(other), accepted))[:2] == (401, 401002)


def test_looking_up_nothing() -> None:
    """A device that never registered has no state."""
    response = ask(instance(enrolled()), Operation.STATUS_LOOKUP, KNOWN)

    assert refused(response)[:2] == (404, 404201)


@pytest.mark.parametrize("operation", Operation)
def test_bodies_have_a_limit(operation: Operation) -> None:
    """96 KB, also where a body does not count."""
    refusal = ask(instance(enrolled()), operation, KNOWN, body=b" " * (96 * 1024 + 1))

    assert refused(refusal)[:2] == (400, 400000)
    assert register(instance(enrolled()), KNOWN, body=b" " * 96 * 1024).status_code == 202


@pytest.mark.parametrize("operation", [Operation.REGISTER, Operation.STATUS_LOOKUP])
def test_bodies_are_read(operation: Operation) -> None:
    """What may not stand in a body is refused where a body counts."""
    response = ask(instance(enrolled()), operation, KNOWN, body=b"{")

    assert refused(response) == (400, 400004, "BadRequest")


def test_the_body_of_a_poll_is_ignored() -> None:
    """Clients send a space, an object or the registration again."""
    service = instance(enrolled())
    accepted = register(service, KNOWN)

    assert poll(service, KNOWN, accepted, body=b"\xff").status_code == 200


def test_the_shape_of_errors() -> None:
    """Code, tracking id, message and time, as `ProvisioningServiceErrorDetails` has them."""
    body = register(instance(), KNOWN).body

    assert list(body) == ["errorCode", "trackingId", "message", "timestampUtc"]
    assert type(body["errorCode"]) is int
    assert re.fullmatch(GUID, body["trackingId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", body["timestampUtc"])


def test_groups_spread_their_devices() -> None:
    """Over the linked hubs, each device always to the same one."""
    hubs = [f"hub-{number}.azure-devices.net" for number in range(3)]
    issuer = certify("ca", ca=True, self_signed=True)
    group = EnrollmentGroup.signed_by(issuer.certificate, enrollment_group_id="all")
    service = instance(group, verified=[issuer], linked_hubs=hubs)

    def hub_of(device: Credential) -> str:
        answer = provision(service, shown(device), registration_id=device.name)
        return str(answer.body["registrationState"]["assignedHub"])

    devices = [certify(f"device-{number}", issuer=issuer) for number in range(40)]

    assert {hub_of(each) for each in devices} == set(hubs)
    assert [hub_of(each) for each in devices] == [hub_of(each) for each in devices]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
RULE_FIELDS = st.sampled_from(["registrationId", "RegistrationId", "payload", "csr", "tpm"])
BODIES = (
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(RULE_FIELDS, JSON).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000, b"{}" + b" " * 98_304])
)
REQUESTS = st.builds(
    Request,
    operation=st.sampled_from(Operation),
    id_scope=st.just(SCOPE) | st.text(),
    registration_id=st.just("device-1") | st.text(),
    api_version=st.sampled_from(sorted(API_VERSIONS)) | st.none() | st.text(),
    operation_id=st.none() | st.text(),
    body=BODIES,
    transport=st.sampled_from(Transport),
)


@pytest.fixture(scope="module", params=[False, True], ids=["calm", "strict and throttled"])
def service(request: pytest.FixtureRequest) -> Service:
    """Return an instance that is asked a lot."""
    return instance(enrolled(), strict=request.param, throttle=request.param)


@given(
    request=REQUESTS,
    certificates=st.sampled_from([KNOWN.certificates, ()]),
    authorization=st.none() | st.text(),
)
def test_every_request_is_answered(
    service: Service,
    request: Request,
    certificates: tuple[x509.Certificate, ...],
    authorization: str | None,
) -> None:
    """Whatever is asked, there is an answer that can be put on a wire."""
    identity = Identity(certificates=certificates, authorization=authorization)
    response = service.handle(request, identity=identity, now=NOW)

    assert response.status_code in {200, 202, 400, 401, 404, 409, 429}
    assert json.loads(json.dumps(response.body)) == response.body
    assert ("errorCode" in response.body) == (response.status_code >= 400)
    assert (response.retry_after is not None) == (response.status_code in {202, 429})
