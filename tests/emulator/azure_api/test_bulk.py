"""Up to ten enrollments in one request."""

from __future__ import annotations

from typing import Any

import pytest
from tests.emulator.administrator import KEYS, Administrator

from aiodps.emulator.azure_api.bulk import LARGEST, BulkMode

COLLECTIONS = [
    ("enrollments", "registrationId", 404201),
    ("enrollmentGroups", "enrollmentGroupId", 404204),
]


@pytest.fixture
def admin() -> Administrator:
    """Return the administrator of an instance without enrollments."""
    return Administrator()


@pytest.mark.parametrize(("collection", "member", "missing"), COLLECTIONS)
def test_every_mode(admin: Administrator, collection: str, member: str, missing: int) -> None:
    """What can be done is done; the rest is told, one by one, by name and code."""

    def bulk(mode: str, *items: dict[str, Any]) -> list[tuple[str, int]]:
        answer = admin.call("POST", f"/{collection}/", {"mode": mode, collection: items})
        assert answer["isSuccessful"] is not answer["errors"]
        assert answer["isSuccessful"] == (not answer["errors"])
        assert all(set(each) == {member, "errorCode", "errorStatus"} for each in answer["errors"])
        return [(each[member], each["errorCode"]) for each in answer["errors"]]

    a, b = ({member: name, "attestation": KEYS} for name in "ab")
    assert bulk("create", a) == []
    assert bulk("create", a, b) == [("a", 409000)]
    etag = admin.call("GET", f"/{collection}/a")["etag"]
    assert bulk("update", a, {member: "c", "attestation": KEYS}) == [("c", missing)]
    assert bulk("updateIfMatchETag", a, a | {"etag": etag}) == [("a", 412000), ("a", 412000)]
    etag = admin.call("GET", f"/{collection}/a")["etag"]
    assert bulk("updateIfMatchETag", a | {"etag": etag}) == []
    assert bulk("delete", {member: "A"}, b, b) == [("b", missing)]
    assert list(admin.service.enrollments) == []


def test_one_bad_item_does_not_keep_the_others_from_it(admin: Administrator) -> None:
    """It is told with the code of a bad request."""
    items = [{"registrationId": name, "attestation": KEYS} for name in ("a", "b c", "d")]
    items[2]["attestation"] = {"type": "none"}
    answer = admin.call("POST", "/enrollments", {"mode": "create", "enrollments": items})

    assert [each["errorCode"] for each in answer["errors"]] == [400000, 400004]
    assert [each.to_json()["registrationId"] for each in admin.service.enrollments] == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"mode": "create"},
        {"mode": "create", "enrollments": []},
        {"mode": "create", "enrollments": {}},
        {"mode": "create", "enrollments": [1]},
        {"mode": "create", "enrollments": [{}]},
        {"mode": "create", "enrollments": [{"registrationId": 1}]},
        {"mode": "create", "enrollmentGroups": [{"registrationId": "a"}]},
        {"mode": "replace", "enrollments": [{"registrationId": "a"}]},
        {"mode": [], "enrollments": [{"registrationId": "a"}]},
        {"enrollments": [{"registrationId": "a", "attestation": KEYS}]},
        {
            "mode": "create",
            "enrollments": [
                {"registrationId": f"d-{n}", "attestation": KEYS} for n in range(LARGEST + 1)
            ],
        },
    ],
    ids=lambda body: ascii(body)[:60],
)
def test_requests_that_make_no_sense(admin: Administrator, body: object) -> None:
    """400, and nothing was done."""
    assert admin.refused("POST", "/enrollments", body) == 400004
    assert list(admin.service.enrollments) == []


def test_the_modes() -> None:
    """Source: `OperationMode` of the REST reference."""
    assert list(BulkMode) == ["create", "update", "updateIfMatchETag", "delete"]
