"""The service API as a whole: paths, callers, versions, errors."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.administrator import Administrator
from tests.emulator.instance import GUID, instance

from aiodps.emulator.azure_api.access_policies import AccessPolicy, Right
from aiodps.emulator.azure_api.service_api import call_of
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.service.enrollments.json import API_VERSIONS

PATHS = [
    "/enrollments",
    "/enrollments/query",
    "/enrollments/device-1",
    "/enrollments/device-1/attestationmechanism",
    "/enrollmentGroups",
    "/enrollmentGroups/query",
    "/enrollmentGroups/group-1",
    "/enrollmentGroups/group-1/attestationmechanism",
    "/registrations/device-1",
    "/registrations/group-1/query",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ENROLLMENTS = st.fixed_dictionaries(
    {},
    optional={
        "registrationId": st.just("device-1") | JSON,
        "enrollmentGroupId": st.just("group-1") | JSON,
        "attestation": st.fixed_dictionaries(
            {"type": st.sampled_from(["x509", "symmetricKey", "tpm", "none"]) | JSON},
            optional={
                "x509": st.dictionaries(
                    st.sampled_from(["clientCertificates", "signingCertificates", "caReferences"]),
                    st.dictionaries(st.sampled_from(["primary", "secondary"]), JSON) | JSON,
                )
                | JSON,
                "symmetricKey": st.dictionaries(
                    st.sampled_from(["primaryKey", "secondaryKey"]), st.just("A" * 64) | JSON
                )
                | JSON,
                "tpm": st.dictionaries(
                    st.sampled_from(["endorsementKey", "storageRootKey"]), JSON
                ),
            },
        )
        | JSON,
        **dict.fromkeys(
            (
                "deviceId",
                "provisioningStatus",
                "allocationPolicy",
                "iotHubHostName",
                "iotHubs",
                "customAllocationDefinition",
                "reprovisionPolicy",
                "initialTwin",
                "capabilities",
                "optionalDeviceInformation",
                "etag",
                "createdDateTimeUtc",
                "credentialPolicyName",
                "query",
            ),
            JSON,
        ),
    },
)
BULK = st.fixed_dictionaries(
    {"mode": st.sampled_from(["create", "update", "updateIfMatchETag", "delete"]) | JSON},
    optional={
        "enrollments": st.lists(ENROLLMENTS, max_size=3) | JSON,
        "enrollmentGroups": st.lists(ENROLLMENTS, max_size=3) | JSON,
    },
)


@pytest.fixture
def admin() -> Administrator:
    """Return the administrator of an instance without enrollments."""
    return Administrator()


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH"]),
    path=st.sampled_from(PATHS) | st.text().map(lambda rest: f"/enrollments/{rest}"),
    body=st.one_of(ENROLLMENTS, BULK, JSON).map(lambda each: json.dumps(each).encode())
    | st.binary(max_size=50),
    version=st.sampled_from(sorted(API_VERSIONS)),
    headers=st.dictionaries(
        st.sampled_from(["if_match", "x_ms_max_item_count", "x_ms_continuation"]),
        st.text(max_size=9),
        max_size=1,
    ),
)
def test_every_call_has_a_proper_answer(
    method: str, path: str, body: bytes, version: str, headers: dict[str, str]
) -> None:
    """Whatever is sent: never a 500, always JSON that can be read back and written again."""
    admin = Administrator(api_version=version)
    admin.enroll()
    admin.enroll_group("group-1")
    response = admin.send(method, path, body, **headers)

    assert response.status_code in {200, 204, 400, 404, 405, 409, 412}
    assert json.loads(json.dumps(response.body)) == response.body
    assert all(value.isprintable() for value in response.headers.values())
    listed = admin.call("POST", "/enrollments/query", {"query": ""})
    assert json.loads(json.dumps(listed, allow_nan=False)) == listed


def test_the_shape_of_an_error(admin: Administrator) -> None:
    """Source: `ProvisioningServiceErrorDetails`, and its header."""
    response = admin.send("GET", "/enrollments/device-1")
    assert isinstance(response.body, dict)
    tracking_id = response.body["trackingId"]

    assert response.status_code == 404
    assert response.body == {
        "errorCode": 404201,
        "trackingId": tracking_id,
        "message": "Enrollment not found.",
        "timestampUtc": timestamp(admin.now),
    }
    assert re.fullmatch(GUID, tracking_id)
    assert response.headers == {"x-ms-error-code": "404201", "x-ms-request-id": tracking_id}


@pytest.mark.parametrize("version", sorted(API_VERSIONS))
def test_every_version(admin: Administrator, version: str) -> None:
    """Each can create and read."""
    admin.api_version = version
    admin.enroll()

    assert admin.call("GET", "/enrollments/device-1")["registrationId"] == "device-1"


@pytest.mark.parametrize("version", [None, "", "2020-01-01", "2021-06-01", "latest"])
def test_other_versions_are_refused(admin: Administrator, version: str | None) -> None:
    """400, whatever is asked; the device API's version of 2021-06-01 too."""
    admin.api_version = version

    assert admin.refused("GET", "/enrollments/device-1") == 400000


@pytest.mark.parametrize("path", PATHS)
def test_who_proves_nothing_is_refused(admin: Administrator, path: str) -> None:
    """401 before anything else is looked at."""
    admin.api_version = "latest"
    method = "GET" if path.endswith("-1") else "POST"

    assert admin.refused(method, path, b"{", authorization="") == 401002
    response = admin.send(method, path, authorization="SharedAccessSignature sr=a")
    assert response.why == "not a shared access signature: it has no sig and no se"


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/enrollments/a", Right.ENROLLMENT_READ),
        ("POST", "/enrollments/query", Right.ENROLLMENT_READ),
        ("POST", "/enrollments/a/attestationmechanism", Right.ENROLLMENT_READ),
        ("PUT", "/enrollments/a", Right.ENROLLMENT_WRITE),
        ("DELETE", "/enrollments/a", Right.ENROLLMENT_WRITE),
        ("POST", "/enrollments", Right.ENROLLMENT_WRITE),
        ("GET", "/enrollmentGroups/a", Right.ENROLLMENT_READ),
        ("POST", "/enrollmentGroups/query", Right.ENROLLMENT_READ),
        ("PUT", "/enrollmentGroups/a", Right.ENROLLMENT_WRITE),
        ("GET", "/registrations/a", Right.REGISTRATION_READ),
        ("POST", "/registrations/a/query", Right.REGISTRATION_READ),
        ("DELETE", "/registrations/a", Right.REGISTRATION_WRITE),
    ],
)
def test_rights(method: str, path: str, right: Right) -> None:
    """Source: Microsoft Learn, "Control access to DPS": each call takes one right."""
    for each in Right:
        admin = Administrator(policy=AccessPolicy.create("some", rights=[each]))
        status = admin.send(method, path).status_code
        assert (status != 401) == (each is right), each


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/enrollments", 405000),
        ("PATCH", "/enrollments/a", 405000),
        ("GET", "/enrollments/a/attestationmechanism", 405000),
        ("GET", "/registrations/a/query", 405000),
        ("PUT", "/registrations/a", 405000),
        ("GET", "/enrollments/a/b", 404000),
        ("GET", "/enrollments/a/attestationmechanism/c", 404000),
        ("GET", "/registrations", 404000),
        ("GET", "/registrations/a/b", 404000),
        ("GET", "/", 404000),
    ],
)
def test_paths_that_lead_nowhere(admin: Administrator, method: str, path: str, code: int) -> None:
    """404 for a path, 405 for a method, which is told what is allowed."""
    response = admin.send(method, path)

    assert admin.refused(method, path) == code
    assert ("Allow" in response.headers) == (code == 405000)
    assert method not in response.headers.get("Allow", "")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/ENROLLMENTS/DEVICE-1/", None),
        ("POST", "/Enrollments/Query/", {"query": "SELECT *"}),
        ("POST", "/enrollments/device-1/AttestationMechanism", b""),
        ("POST", "/enrollmentgroups/group-1/attestationmechanism/", b""),
        ("POST", "/Registrations/group-1/QUERY", b""),
        ("GET", "/enrollments/device%2D1", None),
    ],
)
def test_paths_in_any_casing(admin: Administrator, method: str, path: str, body: Any) -> None:
    """With a slash at the end or not, as Microsoft's Node client writes them."""
    admin.enroll()
    admin.enroll_group()

    assert admin.send(method, path, body).status_code == 200


def test_a_device_may_be_called_query(admin: Administrator) -> None:
    """Only a POST asks for all."""
    admin.enroll("query")

    assert admin.call("GET", "/enrollments/query")["registrationId"] == "query"
    assert len(admin.call("POST", "/enrollments/query", {"query": "SELECT *"})) == 1
    assert admin.send("DELETE", "/enrollments/query").status_code == 204


def test_two_instances_have_nothing_in_common() -> None:
    """Neither enrollments nor keys."""
    one, other = Administrator(instance()), Administrator(instance())
    one.enroll()

    assert other.refused("GET", "/enrollments/device-1") == 404201


def test_a_method_is_chosen() -> None:
    """Of those that there are."""
    assert call_of({"GET": 1, "PUT": 2}, "PUT") == 2


@pytest.mark.parametrize(("calls", "status"), [({}, 404), ({"GET": 1}, 405)])
def test_what_cannot_be_done(calls: dict[str, int], status: int) -> None:
    """404 where there is nothing, 405 where there is something else to do."""
    with pytest.raises(Refusal) as refused:
        call_of(calls, "PUT")

    assert refused.value.status_code == status
