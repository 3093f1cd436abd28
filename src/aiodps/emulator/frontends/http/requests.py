"""Requests of HTTP/1.1, read by llhttp and within limits: from bytes to requests, without sockets.

What clients do and a strict stack would refuse is accepted: a body on GET, and the header
`Content-Encoding: utf-8` of Microsoft's articles, which is not a coding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

MAX_HEAD: Final = 16 * 1024
"""Bytes of request line and headers."""
MAX_BODY: Final = 128 * 1024
"""Bytes of a body that is read. The service itself refuses more than 96 KB."""
MAX_REQUEST: Final = MAX_HEAD + 8 * MAX_BODY
"""Bytes of a whole request: a body in small chunks is much longer."""


class RefusedError(Exception):
    """A request that the frontend refuses."""

    def __init__(self, status_code: int, reason: str) -> None:
        super().__init__(reason)
        self.status_code: int = int(status_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A complete request."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; the first of repeated headers."""
    body: bytes = field(repr=False)
    keep_alive: bool = True
    """Whether another request may follow."""
    chunked: bool = True
    """Whether the client reads a response in chunks."""


class RequestReader:
    """The requests in what a client sends.

    llhttp calls the methods `on_...`; it and this object refer to each other until `close`.
    """

    def __init__(self) -> None:
        self._llhttp = HttpRequestParser(self)
        self._complete: deque[HttpRequest] = deque()
        self._refusal: Exception | None = None
        self.unread: bytes = b""
        """What follows a request to change the protocol."""
        self.has_begun: bool = False
        """Whether a part of the next request has been received."""
        self._forget()

    def _forget(self) -> None:
        """Prepare for the next request."""
        self.has_begun = False
        self._has_head = False
        self._awaits_continue = False
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._size = 0

    def next_request(self) -> HttpRequest | None:
        """Return the next complete request; None if more bytes are needed.

        Raises:
            RefusedError: If it is not HTTP/1.1, or exceeds a limit.
        """
        if self.unread and not self._complete:  # the protocol was not changed
            data, self.unread = self.unread, b""
            self.feed(data)

        if self._complete:
            return self._complete.popleft()

        if self._refusal is not None:
            raise self._refusal

        return None

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._size += len(data)
        try:
            self._llhttp.feed_data(data)
            self._check_size()
        except HttpParserUpgrade as exc:
            self.unread = data[exc.args[0] :]
        except HttpParserCallbackError as exc:
            self._refusal = exc.__context__ if isinstance(exc.__context__, RefusedError) else exc
        except HttpParserError as exc:
            self._refusal = RefusedError(HTTPStatus.BAD_REQUEST, str(exc))
        except RefusedError as exc:
            self._refusal = exc

    def awaits_continue(self) -> bool:
        """Whether the client waits to be told to send the body; true only once."""
        awaits, self._awaits_continue = self._awaits_continue, False
        return awaits

    def close(self) -> None:
        """Forget llhttp; nothing more is read."""
        del self._llhttp

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.has_begun = True

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are ignored."""
        if not self._has_head:
            self._headers.setdefault(name.lower().decode(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Check the head."""
        headers, version = self._headers, self._llhttp.get_http_version()
        self._has_head = True
        self._chunked = version == "1.1"
        if version not in {"1.0", "1.1"}:
            raise RefusedError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP is 1.1 here")

        if self._chunked and "host" not in headers:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the header Host is missing")

        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "a transfer coding other than chunked")

        _check_length(int(headers.get("content-length", 0)))
        self._awaits_continue = "expect" in headers

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._awaits_continue = False
        self._body += part
        _check_length(len(self._body))

    def on_message_complete(self) -> None:
        """Keep the request."""
        self._complete.append(
            HttpRequest(
                method=self._llhttp.get_method().decode(),
                target=_origin_form(self._url.decode()),
                headers=self._headers,
                body=bytes(self._body),
                keep_alive=self._llhttp.should_keep_alive(),
                chunked=self._chunked,
            )
        )
        self._forget()

    def _check_size(self) -> None:
        if self._size > (MAX_REQUEST if self._has_head else MAX_HEAD):
            too_large = (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                if self._has_head
                else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            )
            raise RefusedError(too_large, "the request is too long")


def _origin_form(target: str) -> str:
    """Return the target as path and query; a client may name scheme and host (RFC 9112, 3.2.2)."""
    scheme, mark, rest = target.partition("://")
    if mark and scheme.lower() in {"http", "https"}:
        return "/" + rest.partition("/")[2]

    return target


def _check_length(length: int) -> None:
    if length > MAX_BODY:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of over {MAX_BODY} bytes")
