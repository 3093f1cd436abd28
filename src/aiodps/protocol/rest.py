"""DPS over HTTPS: builds requests of httpx, parses HTTP responses."""

from __future__ import annotations

import email.utils
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain
from typing import assert_never
from urllib.parse import quote, urlsplit

import httpx

from aiodps.errors import ProtocolError, ResponseTooLargeError
from aiodps.printable import printable
from aiodps.protocol.limits import MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS
from aiodps.protocol.messages import (
    LookUpStatus,
    QueryStatus,
    Register,
    Request,
    Response,
    TpmKeys,
)
from aiodps.protocol.payloads import registration_body

API_VERSION = "2021-10-01"
"""The current generally available version (Azure REST reference, Device Provisioning Service)."""

MAX_RETRY_AFTER = 1e9
"""Seconds; a longer wait would exceed every deadline."""

_JSON = "application/json; charset=utf-8"
_READ = (b"content-type", b"date", b"retry-after", b"x-ms-request-id", b"location")
"""The headers of a response that mean something here."""
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_LONGEST_NAME = 253
"""Characters of the host name that a redirect may name. Source: RFC 1035."""


class _CompleteRequest(httpx.Request):
    """A request with its body: there is nothing to read."""

    def __init__(
        self, method: str, url: httpx.URL, headers: httpx.Headers, target: str, body: bytes
    ) -> None:
        super().__init__(
            method,
            url,
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={"target": target.encode()},
        )
        self._body = body

    @property
    def content(self) -> bytes:
        """The body."""
        return self._body


class RequestBuilder:
    """Builds the HTTP requests of one device: what they have in common is made once.

    Path and query are httpx's extension `target`; see `with_url`. Source: REST reference
    2021-10-01, `RuntimeRegistration_RegisterDevice`, `RuntimeRegistration_OperationStatusLookup`
    and `RuntimeRegistration_DeviceRegistrationStatusLookup`.
    """

    def __init__(
        self, *, host: str, id_scope: str, registration_id: str, api_version: str, user_agent: str
    ) -> None:
        """Prepare the requests of a device.

        Args:
            host: Host of the service, with the port unless it is 443.
            id_scope: Id scope of the DPS instance.
            registration_id: Registration id of the device.
            api_version: The service's api-version.
            user_agent: Value of the `User-Agent` header.
        """
        self._host = host
        self._registration_id = registration_id
        self._user_agent = user_agent
        self._device = f"/{_quoted(id_scope)}/registrations/{quote(registration_id, safe='')}"
        self._query = f"?api-version={_quoted(api_version)}"

    def build(
        self, request: Request, *, authorization: str | None = None, tpm: TpmKeys | None = None
    ) -> httpx.Request:
        """Build a request.

        Args:
            request: The request of DPS.
            authorization: SAS token; None if the device authenticates with its certificate.
            tpm: Public keys of its TPM; None if it authenticates without one.
        """
        method, path, body = self._parts(request, tpm)
        headers = _headers(self._host, self._user_agent, len(body))
        if authorization is not None:
            headers = httpx.Headers(headers)
            headers["Authorization"] = authorization

        target = f"{path}{self._query}"
        return _CompleteRequest(method, _origin(self._host), headers, target, body)

    def _parts(self, request: Request, tpm: TpmKeys | None) -> tuple[str, str, bytes]:
        """Return method, path and body."""
        device, name = self._device, self._registration_id
        match request:
            case Register(payload, csr):
                body = registration_body(name, payload, csr=csr, tpm=tpm)
                return "PUT", f"{device}/register", body
            case QueryStatus(operation_id):
                return "GET", f"{device}/operations/{quote(operation_id, safe='')}", b""
            case LookUpStatus():
                return "POST", device, registration_body(name, None, tpm=tpm)
            case _:
                assert_never(request)


_quoted = functools.lru_cache(functools.partial(quote, safe=""))
"""Quotes what devices have in common."""


@functools.lru_cache
def _headers(host: str, user_agent: str, length: int) -> httpx.Headers:
    """Return the headers that devices have in common; httpx copies them."""
    headers = {
        "Host": host,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": user_agent,
    }
    if length:
        headers |= {"Content-Type": _JSON, "Content-Length": str(length)}

    return httpx.Headers(headers)


@functools.lru_cache
def _origin(host: str) -> httpx.URL:
    """Return the URL of a host; httpx looks at each of its characters."""
    return httpx.URL(f"https://{host}")


def request_target(request: httpx.Request) -> bytes:
    """Return what a request is for: path and query, which httpx's extension `target` overrides."""
    given: bytes | None = request.extensions.get("target")
    return request.url.raw_path if given is None else given


def with_url(request: httpx.Request) -> httpx.Request:
    """Return a request with its target in the URL, as a caller expects it."""
    url = request.url.copy_with(raw_path=request_target(request))
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response as it arrived, with its whole body."""

    status_code: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = field(repr=False)


def parse_response(response: HttpResponse) -> Response:
    """Parse an HTTP response, whatever its status."""
    headers: dict[bytes, list[str]] = {name: [] for name in _READ}
    for name, value in response.headers:
        if (key := name.lower()) in headers:
            headers[key].append(value.decode("latin-1"))

    content_type, date = _first(headers[b"content-type"]), _first(headers[b"date"])
    redirects = response.status_code // 100 == 3  # noqa: PLR2004 (3xx)
    refused = response.status_code >= HTTPStatus.BAD_REQUEST
    return Response(
        status_code=response.status_code,
        body=response.body,
        retry_after=retry_after(headers[b"retry-after"], date=date),
        request_id=_first(headers[b"x-ms-request-id"]),
        location=_host(_first(headers[b"location"])) if redirects else None,
        content_type=None if content_type is None else _media_type(content_type),
        service_time=_seconds(date) if refused else None,
    )


def check_headers(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Reject headers that are over a limit or ambiguous, before the body is read.

    Raises:
        ResponseTooLargeError: "headers", or "body" if its length is over the limit.
        ProtocolError: "framing" for a length together with chunks (RFC 9112, 6.3), or
            "content_encoding" for a compressed body, which could be a decompression bomb.
    """
    count, size = len(headers), sum(map(len, chain.from_iterable(headers))) + 4 * len(headers)
    if count > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise ResponseTooLargeError(
            f"the response has {count} headers of {size} bytes", reason="headers"
        )

    length, chunked = b"", False
    for name, value in headers:
        match name.lower():
            case b"content-length":
                length = value
            case b"transfer-encoding":
                chunked = True
            case b"content-encoding":
                _check_encoding(value.decode("latin-1"))

    if length and chunked:
        raise ProtocolError(
            "the response has both Content-Length and Transfer-Encoding", reason="framing"
        )

    if length.isdigit():
        check_body_size(int(length[:20]))


def _check_encoding(encoding: str) -> None:
    # Azure's samples send `utf-8`, which is not a content coding but does no harm.
    if encoding.strip().lower() not in {"", "identity", "utf-8"}:
        raise ProtocolError(
            f"the response has the unexpected content encoding {encoding[:40]!a}",
            reason="content_encoding",
            hint="look for a proxy that compresses responses",
        )


def check_body_size(size: int) -> None:
    """Raise `ResponseTooLargeError` if a body is over the limit."""
    if size > MAX_BODY:
        raise ResponseTooLargeError(
            f"the response body has {size} bytes or more, the maximum is {MAX_BODY}", reason="body"
        )


def retry_after(values: Iterable[str], *, date: str | None) -> float | None:
    """Parse `Retry-After`: whole seconds, or a date relative to the response's own `Date`.

    Args:
        values: The values of the header; the longest wait counts.
        date: The response's `Date` header, or None; a date in `Retry-After` requires it, because
            this device's clock may be wrong.

    Returns:
        Minimum seconds to wait, or None if there is no valid value.
    """
    waits = [wait for value in values if (wait := _one_wait(value.strip(), date)) is not None]
    return max(waits, default=None)


def _one_wait(value: str, date: str | None) -> float | None:
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)

    until, now = _moment(value), _moment(date or "")
    if until is None or now is None:
        return None

    return min(max((until - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _seconds(date: str | None) -> float | None:
    """Return a date in seconds since 1970; None if there is none, or it is not valid."""
    moment = _moment(date or "")
    return None if moment is None else moment.timestamp()


def _moment(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _host(location: str | None) -> str | None:
    """Return the host that a redirect points to, for messages."""
    if location is None:
        return None

    try:
        return (urlsplit(location).hostname or "the same host")[:_LONGEST_NAME]
    except ValueError:
        return "an unreadable address"


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _first(values: Sequence[str]) -> str | None:
    return printable(values[0]) if values else None
