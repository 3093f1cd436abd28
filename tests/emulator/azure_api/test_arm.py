"""Azure Resource Manager: who may call it, and where its paths lead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.resource_manager import INSTANCE, ResourceManager

from aiodps.emulator.azure_api.arm import API_VERSIONS, ARM_PREFIX

PATHS = [
    "",
    "/listkeys",
    "/keys/provisioningserviceowner/listkeys",
    "/certificates/my-root",
    "/certificates/my-root/verify",
    "/subscriptions/s/providers/Microsoft.Devices/checkProvisioningServiceNameAvailability",
    INSTANCE.removesuffix("/dps"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)
RULE_FIELDS = st.dictionaries(st.sampled_from(["certificate", "isVerified", "name"]), JSON)
DOCUMENTS = JSON | RULE_FIELDS | st.fixed_dictionaries({"properties": RULE_FIELDS | JSON})


@pytest.fixture
def arm() -> ResourceManager:
    """Return a caller of an instance without certificates."""
    return ResourceManager()


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Bearer x"}, 401),
        ({"authorization": "SharedAccessSignature sr=x"}, 401),
        ({"api_version": None}, 400),
        ({"api_version": "2019-03-31"}, 400),
    ],
    ids=[
        "no token",
        "empty token",
        "made up",
        "another scheme",
        "no version",
        "a device's version",
    ],
)
def test_callers_that_are_refused(arm: ResourceManager, more: dict[str, Any], status: int) -> None:
    """The owner's key is needed as bearer token; and a version of the management API."""
    answered, answer = arm.call("GET", "/certificates", **more)

    assert answered == status
    assert set(answer) == {"code", "httpStatusCode", "message", "details"}
    assert answer["code"] // 1000 == status
    assert answer["httpStatusCode"] in {"Unauthorized", "BadRequest"}


@pytest.mark.parametrize("api_version", sorted(API_VERSIONS))
def test_every_version_of_the_management_api(arm: ResourceManager, api_version: str) -> None:
    """All of them list certificates."""
    assert arm.call("GET", "/certificates", api_version=api_version)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/keys", 404),
        ("GET", "/certificates/a/verify/b", 404),
        ("GET", "/subscriptions/s", 404),
        ("GET", "/subscriptions/s/providers/Microsoft.Devices/iotHubs", 404),
        ("GET", f"{ARM_PREFIX}s/providers/Microsoft.Devices/provisioningServices/dps", 404),
        ("PUT", "", 405),
        ("DELETE", "", 405),
        ("GET", "/listkeys", 405),
        ("GET", "/certificates/a/b", 404),
        ("POST", "/certificates", 405),
        ("PATCH", "/certificates/a", 405),
        ("GET", "/certificates/a/verify", 405),
        ("DELETE", "/certificates", 405),
    ],
)
def test_paths_that_lead_nowhere(
    arm: ResourceManager, method: str, path: str, status: int
) -> None:
    """404 for a path, 405 for a method."""
    assert arm.call(method, path, if_match="*")[0] == status


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.sampled_from(
        ["/certificates/", "/certificates/my-root/", "/", "/keys/", ARM_PREFIX]
    ).flatmap(lambda start: st.text().map(lambda rest: start + rest))
    | st.sampled_from(PATHS),
    body=st.binary() | DOCUMENTS.map(lambda each: json.dumps(each).encode()),
    if_match=st.none() | st.text(),
)
def test_every_call_is_answered(method: str, path: str, body: bytes, if_match: str | None) -> None:
    """Whatever is called, there is an answer that can be put on a wire."""
    arm = ResourceManager()
    arm.upload()
    status, answer = arm.call(method, path, body, if_match=if_match)

    assert status in {200, 204, 400, 404, 405, 412}
    assert json.loads(json.dumps(answer)) == answer
