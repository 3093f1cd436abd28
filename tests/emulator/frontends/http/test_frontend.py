"""What DPS answers over HTTPS, header by header."""

from __future__ import annotations

import json
import uuid

import pytest
from tests import certificates
from tests.emulated import SCOPE, device, running
from tests.scripted_client import http

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
BASE = f"/{SCOPE}/registrations/device-1"
VERSION = "api-version=2019-03-31"
ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d"


async def test_an_accepted_register_has_the_services_headers() -> None:
    """Status, media type, wait, place, and an id of the request."""
    async with running() as dps, http(dps, device()) as client:
        answer = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")

        assert answer.status == 202
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["Location"] == f"https://localhost{BASE}/register"
        assert uuid.UUID(answer.headers["x-ms-request-id"]).version == 4
        assert "Date" in answer.headers


async def test_a_final_answer_asks_for_no_more() -> None:
    """Neither `Retry-After` nor `Location` once it is done."""
    async with running() as dps, http(dps, device()) as client:
        operation = (await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")).body
        path = f"{BASE}/operations/{operation['operationId']}?{VERSION}"
        answer = await client.ask("GET", path)

        assert answer.status == 200
        assert not {"Retry-After", "Location"} & set(answer.headers)


async def test_a_throttled_device_is_told_when_to_come_again() -> None:
    """Whole seconds, in the header that all clients read."""
    async with running(throttle=True) as dps, http(dps, device()) as client:
        operation = (await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")).body
        path = f"{BASE}/operations/{operation['operationId']}?{VERSION}"
        answers = [await client.ask("GET", path) for _ in range(6)]

        assert [answer.status for answer in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10


async def test_a_strict_emulator_names_the_rule() -> None:
    """The articles' curl takes one liberty; without it all is well."""
    kind, coding = "Content-Type: application/json", "Content-Encoding: utf-8"
    body = b'{"registrationId": "device-1"}'
    async with running(strict=True) as dps, http(dps, device()) as client:
        curl = await client.ask("PUT", f"{BASE}/register?{VERSION}", body, [kind, coding])
        good = await client.ask("PUT", f"{BASE}/register?{VERSION}", body, [kind])

        assert (curl.status, good.status) == (400, 202)
        assert "content-encoding" in curl.body["message"]


async def test_the_request_id_of_an_error_is_its_tracking_id() -> None:
    """As seen on the wire."""
    async with running() as dps, http(dps) as client:
        answer = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")

        assert (answer.status, answer.body["errorCode"] // 1000) == (401, 401)
        assert answer.headers["x-ms-request-id"] == answer.body["trackingId"]
        assert answer.headers["x-ms-error-code"] == str(answer.body["errorCode"])


async def test_who_is_not_enrolled_is_refused_and_the_connection_goes_on() -> None:
    """Any certificate is taken in TLS; the service says no."""
    async with running() as dps, http(dps, certificates.self_signed()) as client:
        refused = await client.ask("PUT", f"{BASE}/register?{VERSION}", b"{}")
        again = await client.ask("GET", f"{BASE}?{VERSION}")

        assert refused.status == 401
        assert (again.status, again.headers["Allow"]) == (405, "POST")


async def test_a_ca_is_uploaded_and_proved_as_in_azure() -> None:
    """Upload, verification code, a certificate for it, verified."""
    root = certificates.other_root()
    pem = root.certificate_pem.decode()
    async with running() as dps, http(dps) as client:
        version, path = "api-version=2022-12-12", f"{ARM}/certificates/mine"
        headers = [f"Authorization: Bearer {dps.bearer_token}", "If-Match: *"]
        body = json.dumps({"properties": {"certificate": pem}}).encode()
        uploaded = await client.ask("PUT", f"{path}?{version}", body, headers)
        code = await client.ask(
            "POST", f"{path}/generateVerificationCode?{version}", headers=headers
        )
        proof = root.verification(code.body["properties"]["verificationCode"])
        body = json.dumps({"certificate": proof.certificate_pem.decode()}).encode()
        verified = await client.ask("POST", f"{path}/verify?{version}", body, headers)
        deleted = await client.ask("DELETE", f"{path}?{version}", headers=headers)

        assert uploaded.body["properties"]["isVerified"] is False
        assert verified.body["properties"]["isVerified"] is True
        assert (deleted.status, deleted.body) in [(200, None), (204, None)]
