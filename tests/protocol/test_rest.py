"""Requests go out as the REST reference has them, and headers are read the careful way."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import ProtocolError, ResponseTooLargeError
from aiodps.protocol.limits import MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS
from aiodps.protocol.messages import LookUpStatus, QueryStatus, Register, Request, TpmKeys
from aiodps.protocol.rest import (
    MAX_RETRY_AFTER,
    HttpResponse,
    RequestBuilder,
    check_headers,
    parse_response,
    retry_after,
    with_url,
)

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


def built(
    request: Request, authorization: str | None = None, tpm: TpmKeys | None = None
) -> httpx.Request:
    """Build a request for the device dev-1."""
    builder = RequestBuilder(
        host="global.azure-devices-provisioning.net",
        id_scope="0ne00000000",
        registration_id="dev:1",
        api_version="2021-10-01",
        user_agent="aiodps/0",
    )
    return with_url(builder.build(request, authorization=authorization, tpm=tpm))


def test_register() -> None:
    """REST reference 2021-10-01, RuntimeRegistration_RegisterDevice."""
    request = built(Register({"a": 1}))

    assert request.method == "PUT"
    assert request.url.raw_path == (
        b"/0ne00000000/registrations/dev%3A1/register?api-version=2021-10-01"
    )
    assert json.loads(request.content) == {"registrationId": "dev:1", "payload": {"a": 1}}
    assert dict(request.headers) == {
        "host": "global.azure-devices-provisioning.net",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "aiodps/0",
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(request.content)),
    }


def test_authorization() -> None:
    """A token goes into a header of every request, and is not in the repr."""
    for request in (Register(), QueryStatus("5.316a.b1e0"), LookUpStatus()):
        written = built(request, "SharedAccessSignature sr=canary")

        assert dict(written.headers)["authorization"] == "SharedAccessSignature sr=canary"
        assert "canary" not in repr(written)


def test_query() -> None:
    """REST reference 2021-10-01, RuntimeRegistration_OperationStatusLookup."""
    request = built(QueryStatus("5.316a.b1e0"))

    assert (request.method, request.content) == ("GET", b"")
    assert request.url.raw_path == (
        b"/0ne00000000/registrations/dev%3A1/operations/5.316a.b1e0?api-version=2021-10-01"
    )


def test_look_up() -> None:
    """REST reference 2021-10-01, RuntimeRegistration_DeviceRegistrationStatusLookup.

    Its body is that of a register request, without payload and certificate request.
    """
    request = built(LookUpStatus())

    assert request.method == "POST"
    assert request.url.raw_path == b"/0ne00000000/registrations/dev%3A1?api-version=2021-10-01"
    assert json.loads(request.content) == {"registrationId": "dev:1"}
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    keys = json.loads(built(LookUpStatus(), tpm=TpmKeys(b"ek", b"srk")).content)["tpm"]
    assert keys == {"endorsementKey": "ZWs=", "storageRootKey": "c3Jr"}


def test_response() -> None:
    """What matters is taken out of the headers, whatever their case."""
    headers = [
        (b"Retry-After", b"3"),
        (b"Content-Type", b"Application/JSON; charset=utf-8"),
        (b"X-MS-Request-Id", b"8ad0"),
        (b"LOCATION", b"https://dps.test/x"),
        (b"Set-Cookie", b"a=b"),
    ]
    response = parse_response(HttpResponse(202, headers, b"{}"))

    assert (response.status_code, response.body) == (202, b"{}")
    assert (response.retry_after, response.request_id) == (3.0, "8ad0")
    assert (response.content_type, response.location) == ("application/json", None)
    assert parse_response(HttpResponse(307, headers, b"")).location == "dps.test"
    assert parse_response(HttpResponse(200, (), b"")).content_type is None
    assert parse_response(HttpResponse(302, (), b"")).location is None


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://evil.test:81/x?y", "evil.test"),
        ("/register", "the same host"),
        ("file:///etc/passwd", "the same host"),
        ("https://[", "an unreadable address"),
        (f"https://{'a' * 9000}/", "a" * 253),
    ],
)
def test_of_a_redirect_only_the_host_is_told(location: str, host: str) -> None:
    """H21: a redirect is not followed; its host is enough to know."""
    response = HttpResponse(302, [(b"Location", location.encode())], b"")

    assert parse_response(response).location == host


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        pytest.param(["3"], 3.0, id="H30"),
        pytest.param(["0"], 0.0, id="H31"),
        *(
            pytest.param([value], None, id=f"H32-{value!a}")
            for value in ("-5", "3.5", "", "abc", "3, 5", "0x10", "1_000", "٣", "NaN")
        ),
        pytest.param(["1" * 13], None, id="H32-1e12"),
        pytest.param(["99999999999"], MAX_RETRY_AFTER, id="H33"),
        pytest.param(["Mon, 23 Nov 2026 12:00:30 GMT"], 30.0, id="H34-future"),
        pytest.param(["Mon, 23 Nov 2026 11:00:00 GMT"], 0.0, id="H34-past"),
        pytest.param(["Mon, 23 Nov 99999 12:00:00 GMT"], None, id="H34-year"),
        pytest.param(["Mon, 23 Nov 2026 12:00:30 -0000"], 30.0, id="H34-zone"),
        pytest.param(["3", "5"], 5.0, id="H35"),
        pytest.param(["abc", "5"], 5.0, id="H35-one-bad"),
        pytest.param([], None, id="absent"),
    ],
)
def test_retry_after(values: list[str], wait: float | None) -> None:
    """H30 to H35: whole seconds, or a date against the answer's own; anything else is nothing."""
    assert retry_after(values, date=DATE) == wait


def test_a_date_needs_a_date() -> None:
    """A date says nothing if the answer does not tell its own: this clock may be wrong."""
    assert retry_after([DATE], date=None) is None


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """Whatever the header holds, it is a wait that makes sense, or none."""
    wait = retry_after([text], date=DATE)

    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x-unknown", "GZIP"])
def test_packed_bodies_are_refused(coding: str) -> None:
    """H10, H11, H12: nothing is unpacked."""
    with pytest.raises(ProtocolError) as caught:
        check_headers(httpx.Headers({"Content-Encoding": coding}).raw)

    assert caught.value.reason == "content_encoding"


def test_two_lengths_are_refused() -> None:
    """H16: a body with a length and chunks could be read in two ways."""
    with pytest.raises(ProtocolError) as caught:
        check_headers(httpx.Headers({"Content-Length": "3", "Transfer-Encoding": "chunked"}).raw)

    assert caught.value.reason == "framing"


def test_codings_that_mean_nothing() -> None:
    """Microsoft's samples send `Content-Encoding: utf-8`, which packs nothing."""
    check_headers(
        httpx.Headers([("Content-Encoding", "utf-8"), ("content-encoding", "identity")]).raw
    )


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("X", "x")] * (MAX_HEADERS + 1), "headers"),
        ([("X", "x" * MAX_HEADER_BYTES)], "headers"),
        ([("Content-Length", str(MAX_BODY + 1))], "body"),
        ([("Content-Length", "9" * 5000)], "body"),
    ],
    ids=["count", "size", "length", "digits"],
)
def test_limits(headers: list[tuple[str, str]], reason: str) -> None:
    """H08, H09: what is too large is refused before the body is read."""
    with pytest.raises(ResponseTooLargeError) as caught:
        check_headers(httpx.Headers(headers).raw)

    assert caught.value.reason == reason


def test_what_just_fits() -> None:
    """Limits are limits; a length that is not a number is for h11 to refuse."""
    check_headers(
        httpx.Headers([("X", "x")] * (MAX_HEADERS - 1) + [("Content-Length", "262144")]).raw
    )
    check_headers(httpx.Headers({"Content-Length": "x"}).raw)
