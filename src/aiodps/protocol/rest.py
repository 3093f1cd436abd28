"""DPS over HTTPS: requests to method, path, headers and body; answers to `Response`."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never
from urllib.parse import quote, urlsplit

from aiodps.errors import ProtocolError
from aiodps.protocol.messages import QueryStatus, Register, Request, Response
from aiodps.protocol.payloads import registration_body

API_VERSION = "2021-10-01"
"""The current generally available version (Azure REST reference, Device Provisioning Service)."""

LONGEST_RETRY_AFTER = 1e9
"""Seconds; a longer wait cannot be meant and would not fit any deadline either."""

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)

Header = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What goes over the wire, before HTTP frames it."""

    method: str
    path: str
    """Path and query."""
    headers: tuple[Header, ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def build_request(
    request: Request,
    *,
    host: str,
    id_scope: str,
    registration_id: str,
    api_version: str,
    user_agent: str,
    authorization: str | None,
) -> HttpRequest:
    """Put a request into HTTP; without `authorization`, TLS has to prove the device.

    Source: REST reference 2021-10-01, `RuntimeRegistration_RegisterDevice` and
    `RuntimeRegistration_OperationStatusLookup`.
    """
    base = f"/{quote(id_scope, safe='')}/registrations/{quote(registration_id, safe='')}"
    query = f"?api-version={quote(api_version, safe='')}"
    common = (
        ("Host", host),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", user_agent),
        *([] if authorization is None else [("Authorization", authorization)]),
    )
    match request:
        case Register(payload):
            body = registration_body(registration_id, payload)
            headers = (
                *common,
                ("Content-Type", "application/json; charset=utf-8"),
                ("Content-Length", str(len(body))),
            )
            return HttpRequest(
                method="PUT", path=f"{base}/register{query}", headers=headers, body=body
            )
        case QueryStatus(operation_id):
            path = f"{base}/operations/{quote(operation_id, safe='')}{query}"
            return HttpRequest(method="GET", path=path, headers=common)
        case _:
            assert_never(request)


def parse_response(status_code: int, headers: Sequence[Header], body: bytes) -> Response:
    """Take what matters out of an HTTP answer, whatever its status.

    Raises:
        ProtocolError: If the body is encoded in a way that was not asked for, or framed twice.
    """
    check_framing(headers)
    content_type = _first(headers, "content-type")
    return Response(
        status_code=status_code,
        body=body,
        retry_after=retry_after(_all(headers, "retry-after"), date=_first(headers, "date")),
        request_id=_first(headers, "x-ms-request-id"),
        location=_host(_first(headers, "location")),
        content_type=None if content_type is None else _media_type(content_type),
    )


def check_framing(headers: Sequence[Header]) -> None:
    """Refuse what could be read in two ways, before the body is read.

    Raises:
        ProtocolError: "framing" for a length together with chunks (RFC 9112, 6.3), or
            "content_encoding" for a body that would have to be unpacked: a bomb, or a mistake.
    """
    if _all(headers, "content-length") and _all(headers, "transfer-encoding"):
        raise ProtocolError("the answer has two lengths", reason="framing")

    for encoding in _all(headers, "content-encoding"):
        # Azure's samples send `utf-8` here, which is no coding at all; it does no harm.
        if encoding.strip().lower() not in {"", "identity", "utf-8"}:
            raise ProtocolError(
                f"the answer is encoded as {encoding[:40]!a}, which was not asked for",
                reason="content_encoding",
                hint="a proxy in between may be compressing",
            )


def retry_after(values: Iterable[str], *, date: str | None) -> float | None:
    """Read `Retry-After`: whole seconds, or a date counted from the answer's own `Date`.

    Args:
        values: The header's values; of several the longest wait is taken.
        date: The answer's `Date` header, or None; a date in `Retry-After` needs it, because this
            device's clock may be wrong.

    Returns:
        Seconds to wait at least, or None if there is no value that can be read.
    """
    waits = [wait for value in values if (wait := _one_wait(value.strip(), date)) is not None]
    return max(waits, default=None)


def _one_wait(value: str, date: str | None) -> float | None:
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_RETRY_AFTER)

    until, now = _moment(value), _moment(date or "")
    if until is None or now is None:
        return None

    return min(max((until - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def _moment(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _host(location: str | None) -> str | None:
    """Name the host that a redirect points to; nothing else of it is worth telling."""
    if location is None:
        return None

    try:
        return urlsplit(location).hostname or "the same host"
    except ValueError:
        return "an unreadable address"


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _all(headers: Sequence[Header], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _first(headers: Sequence[Header], name: str) -> str | None:
    return next(iter(_all(headers, name)), None)
