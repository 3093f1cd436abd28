"""The certificates of an instance as Azure Resource Manager shows them."""

from __future__ import annotations

import base64
import email.utils
import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import root

from aiodps.emulator.management.arm import API_VERSIONS, ARM_PREFIX, handle_arm
from aiodps.emulator.service.certificates import CaCertificates
from aiodps.emulator.wire import ManagementRequest

INSTANCE = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Devices/provisioningServices/dps"
)
PEM64 = base64.b64encode(root().certificate_pem).decode()
CREATED = 1507836230.0


class Arm:
    """A caller of the management API."""

    def __init__(self) -> None:
        self.certificates = CaCertificates(chance=random.Random(2))  # noqa: S311 (no secrets)

    def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Make one call; a body of bytes goes as it is."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        arguments = {"api_version": "2026-11-01", "authorization": "Bearer token"} | more
        given = {
            name.replace("_", "-"): arguments.get(name) for name in ("authorization", "if_match")
        }
        request = ManagementRequest(
            method=method,
            path=INSTANCE + path if not path.startswith(ARM_PREFIX) else path,
            query={}
            if arguments["api_version"] is None
            else {"api-version": arguments["api_version"]},
            headers={name: value for name, value in given.items() if value is not None},
            body=raw,
        )
        response = handle_arm(self.certificates, request, now=CREATED)
        return response.status_code, response.body

    def upload(self, **properties: object) -> dict[str, Any]:
        """Upload the root as `my-root`, return the answer."""
        document = {"properties": {"certificate": PEM64} | properties}
        status, answer = self.call("PUT", "/certificates/my-root", document)
        assert status == 200
        return dict(answer)


@pytest.fixture
def arm() -> Arm:
    """Return a caller of an instance without certificates."""
    return Arm()


def test_the_shape_of_a_certificate(arm: Arm) -> None:
    """Source: REST reference of provisioningServices/certificates, `CertificateResponse`."""
    answer = arm.upload()
    properties = answer["properties"]

    assert answer["id"] == f"{INSTANCE}/certificates/my-root"
    assert answer["id"].startswith(ARM_PREFIX)
    assert answer["name"] == "my-root"
    assert answer["type"] == "Microsoft.Devices/provisioningServices/certificates"
    assert answer["etag"]
    assert list(properties) == [
        "subject",
        "expiry",
        "thumbprint",
        "isVerified",
        "created",
        "updated",
        "certificate",
    ]
    assert properties["subject"] == "CN=test root"
    assert len(properties["thumbprint"]) == 40
    assert properties["isVerified"] is False
    der = root().certificate.public_bytes(Encoding.DER)
    assert base64.b64decode(properties["certificate"]) == der


def test_dates_are_rfc_1123(arm: Arm) -> None:
    """Microsoft's management SDKs fail on anything else; the time is one of their examples."""
    properties = arm.upload()["properties"]

    assert properties["created"] == "Thu, 12 Oct 2017 19:23:50 GMT"
    assert properties["updated"] == "Thu, 12 Oct 2017 19:23:50 GMT"
    expiry = email.utils.parsedate_to_datetime(properties["expiry"])
    assert expiry == root().certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("api_version", "body"),
    [
        ("2021-10-15", {"certificate": PEM64}),
        ("2022-12-12", {"properties": {"certificate": PEM64}}),
        ("2026-11-01", {"properties": {"certificate": PEM64}}),
        ("2026-11-01", {"certificate": root().certificate_pem.decode()}),
    ],
    ids=["flat", "2022", "2026", "PEM as it is"],
)
def test_both_shapes_of_an_upload(arm: Arm, api_version: str, body: object) -> None:
    """As azure-mgmt-iothubprovisioningservices 1.1.0 and 2.1.0 send it."""
    status, answer = arm.call("PUT", "/certificates/a", body, api_version=api_version)

    assert status == 200
    assert answer["properties"]["isVerified"] is False


def test_taken_on_trust(arm: Arm) -> None:
    """`isVerified` at upload needs no proof."""
    assert arm.upload(isVerified=True)["properties"]["isVerified"] is True


@pytest.mark.parametrize("form", ['"{}"', "{}"], ids=["2.1.0 quotes", "1.1.0 does not"])
def test_proof_of_possession(arm: Arm, form: str) -> None:
    """Code, proof, verified: each call with the etag of the answer before."""
    etag = form.format(arm.upload()["etag"])
    status, answer = arm.call(
        "POST", "/certificates/my-root/generateVerificationCode", if_match=etag
    )
    code = answer["properties"]["verificationCode"]

    assert status == 200
    assert answer["name"] == "my-root"

    proof = base64.b64encode(root().verification(code).certificate_pem).decode()
    etag = form.format(answer["etag"])
    status, answer = arm.call(
        "POST", "/certificates/my-root/verify", {"certificate": proof}, if_match=etag
    )

    assert status == 200
    assert answer["properties"]["isVerified"] is True
    assert "verificationCode" not in answer["properties"]


def test_list_get_delete(arm: Arm) -> None:
    """What was uploaded can be read, in any casing of the path, until it is deleted."""
    uploaded = arm.upload()

    assert arm.call("GET", "/certificates") == (200, {"value": [uploaded]})
    assert arm.call("GET", "/Certificates/MY-ROOT")[1]["name"] == "my-root"
    assert arm.call("GET", "/certificates/my%2Droot") == (200, uploaded)
    assert arm.call("DELETE", "/certificates/my-root", if_match="*") == (200, None)
    assert arm.call("DELETE", "/certificates/my-root", if_match="*") == (204, None)
    assert arm.call("GET", "/certificates/") == (200, {"value": []})
    assert arm.call("GET", "/certificates/my-root")[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/certificates/my-root"),
        ("POST", "/certificates/my-root/generateVerificationCode"),
        ("POST", "/certificates/my-root/verify"),
    ],
)
def test_etags_are_needed(arm: Arm, method: str, path: str) -> None:
    """Without `If-Match` 400, with a stale one 412."""
    arm.upload()
    body = {"certificate": PEM64}

    assert arm.call(method, path, body)[0] == 400
    assert arm.call(method, path, body, if_match="stale")[0] == 412


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "SharedAccessSignature sr=x"}, 401),
        ({"api_version": None}, 400),
        ({"api_version": "2019-03-31"}, 400),
    ],
    ids=["no token", "empty token", "another scheme", "no version", "a device's version"],
)
def test_callers_that_are_refused(arm: Arm, more: dict[str, Any], status: int) -> None:
    """A bearer token is needed, any will do; and a version of the management API."""
    answered, answer = arm.call("GET", "/certificates", **more)

    assert answered == status
    assert set(answer) == {"code", "httpStatusCode", "message", "details"}


@pytest.mark.parametrize("api_version", sorted(API_VERSIONS))
def test_every_version_of_the_management_api(arm: Arm, api_version: str) -> None:
    """All of them list certificates."""
    assert arm.call("GET", "/certificates", api_version=api_version)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/keys", 404),
        ("GET", "/certificates/a/b", 404),
        ("POST", "/certificates", 405),
        ("PATCH", "/certificates/a", 405),
        ("GET", "/certificates/a/verify", 405),
        ("DELETE", "/certificates", 405),
    ],
)
def test_paths_that_lead_nowhere(arm: Arm, method: str, path: str, status: int) -> None:
    """404 for a path, 405 for a method."""
    assert arm.call(method, path, if_match="*")[0] == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        {"certificate": 1},
        {"certificate": "nonsense"},
        {"certificate": "\ud800"},
        {"properties": 1},
        {"properties": {}},
        {"certificate": PEM64, "isVerified": "yes"},
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_bodies_that_are_refused(arm: Arm, body: object) -> None:
    """400, and nothing is uploaded."""
    assert arm.call("PUT", "/certificates/a", body)[0] == 400
    assert list(arm.certificates) == []


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.sampled_from(["/certificates/", "/certificates/my-root/", "/"]).flatmap(
        lambda start: st.text().map(lambda rest: start + rest)
    ),
    body=st.binary(),
    if_match=st.none() | st.text(),
)
def test_every_call_is_answered(method: str, path: str, body: bytes, if_match: str | None) -> None:
    """Whatever is called, there is an answer that can be put on a wire."""
    arm = Arm()
    arm.upload()
    status, answer = arm.call(method, path, body, if_match=if_match)

    assert status in {200, 204, 400, 404, 405, 412}
    assert json.loads(json.dumps(answer)) == answer
