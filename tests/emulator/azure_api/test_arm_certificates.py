"""The certificates of an instance as Azure Resource Manager shows them."""

from __future__ import annotations

import base64
import email.utils

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import root
from tests.emulator.resource_manager import INSTANCE, PEM64, ResourceManager


@pytest.fixture
def arm() -> ResourceManager:
    """Return a caller of an instance without certificates."""
    return ResourceManager()


def test_the_shape_of_a_certificate(arm: ResourceManager) -> None:
    """Source: REST reference of provisioningServices/certificates, `CertificateResponse`."""
    answer = arm.upload()
    properties = answer["properties"]

    assert answer["id"] == f"{INSTANCE}/certificates/my-root"
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


def test_dates_are_rfc_1123(arm: ResourceManager) -> None:
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
def test_both_shapes_of_an_upload(arm: ResourceManager, api_version: str, body: object) -> None:
    """As azure-mgmt-iothubprovisioningservices 1.1.0 and 2.1.0 send it."""
    status, answer = arm.call("PUT", "/certificates/a", body, api_version=api_version)

    assert status == 200
    assert answer["properties"]["isVerified"] is False


def test_taken_on_trust(arm: ResourceManager) -> None:
    """`isVerified` at upload needs no proof."""
    assert arm.upload(isVerified=True)["properties"]["isVerified"] is True


@pytest.mark.parametrize("form", ['"{}"', "{}"], ids=["2.1.0 quotes", "1.1.0 does not"])
def test_proof_of_possession(arm: ResourceManager, form: str) -> None:
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


def test_list_get_delete(arm: ResourceManager) -> None:
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
def test_etags_are_needed(arm: ResourceManager, method: str, path: str) -> None:
    """Without `If-Match` 400, with a stale one 412."""
    arm.upload()
    body = {"certificate": PEM64}

    assert arm.call(method, path, body)[0] == 400
    assert arm.call(method, path, body, if_match="stale")[0] == 412


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
def test_bodies_that_are_refused(arm: ResourceManager, body: object) -> None:
    """400, and nothing is uploaded."""
    assert arm.call("PUT", "/certificates/a", body)[0] == 400
    assert list(arm.service.certificates) == []


def test_only_if_it_is_new(arm: ResourceManager) -> None:
    """`If-None-Match: *`, as the 2.1.0 package asks with `IfMissing`."""
    body = {"properties": {"certificate": PEM64}}

    assert arm.call("PUT", "/certificates/a", body, if_none_match="*")[0] == 200
    assert arm.call("PUT", "/certificates/A", body, if_none_match="*")[0] == 412
