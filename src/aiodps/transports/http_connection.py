"""HTTP/1.1 with h11, over one connection of the dialler: a request of httpx, then its response.

Sizes are limited, and every error is one of aiodps.
"""

from __future__ import annotations

import functools

import h11
import httpx

from aiodps.errors import (
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    TransportError,
)
from aiodps.network.dial import Connection
from aiodps.network.event_loop import ReadWatch
from aiodps.protocol.limits import MAX_BODY, MAX_HEADER_BYTES, MAX_INTERIM_RESPONSES
from aiodps.protocol.rest import (
    HttpResponse,
    check_body_size,
    check_headers,
    request_target,
    with_url,
)

_MAX_RESPONSE = MAX_HEADER_BYTES + MAX_BODY + 64 * 1024
"""Bytes of one response, including interim responses and chunk framing."""
_HEADERS_TOO_LARGE = 431
"""The status that h11 suggests for an endless head, chunk header or trailer."""

_ANY_REQUEST = h11.Request(method="GET", target="/", headers=[("Host", "")])
_END = h11.EndOfMessage()
"""What h11 is told of each request: it has to know that a response follows, which it would read
in another way only after HEAD and CONNECT."""


class HttpConnection:
    """HTTP over one open connection, for one request at a time."""

    def __init__(self, connection: Connection) -> None:
        """Become the owner of the connection: `close` closes it."""
        self._connection = connection
        self._watch = ReadWatch(connection.socket, between_waits=False)
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._reader = _ResponseReader(self._http)

    @property
    def usable(self) -> bool:
        """Whether another request can be sent: the last response is complete, nothing follows."""
        return self._http.our_state is h11.IDLE and _is_quiet(self._connection)

    async def exchange(self, request: httpx.Request) -> HttpResponse:
        """Send a request and return its response.

        Raises:
            ConnectionLostError: If the connection was lost, or cannot be reused.
            TlsError: If the TLS data is invalid, or the server rejects the certificate only now.
            ProtocolError: If the response violates HTTP or exceeds a limit.
        """
        if self._http.our_state is not h11.IDLE:
            raise ConnectionLostError("the connection cannot be reused for another request")

        await self._send(self._encode(request))
        await self._watch.until_read(self._arrived)
        response = self._reader.response()
        self._start_next_cycle()
        return response

    def _arrived(self) -> bool:
        """Read what has arrived; return whether the response is complete."""
        data = self._connection.receive_nowait()
        return data is not None and self._reader.receive(data)

    def _encode(self, request: httpx.Request) -> memoryview:
        """Return a view, which does not show the request's token in a traceback with locals."""
        for event in (_ANY_REQUEST, _END):
            self._http.send(event)

        first = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request_target(request))
        return memoryview(b"".join((first, _header_lines(request.headers), request.content)))

    async def _send(self, data: memoryview) -> None:
        try:
            await self._connection.send(data)
        except ConnectionLostError:
            # A server that closed the connection may have said why, in an alert or a response that
            # is still to be read. If there is neither, reading raises the error.
            self._http.send_failed()

    def _start_next_cycle(self) -> None:
        """Prepare for another request, unless the server closes or sent surplus data.

        Surplus data must not be taken for the response to the next request.
        """
        complete = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        surplus, _ = self._http.trailing_data
        if complete and not surplus:
            self._http.start_next_cycle()
            self._reader = _ResponseReader(self._http)

    def release_buffer(self) -> None:
        """Give back memory that only the next request needs."""
        self._connection.release_buffer()

    def close(self) -> None:
        """Close the connection immediately."""
        self._watch.stop()
        self._connection.close()


class _ResponseReader:
    """Reads the response to one request from what arrives, within the limits."""

    def __init__(self, http: h11.Connection) -> None:
        self._http = http
        self._received = 0
        self._interim = 0
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._is_complete = False

    def receive(self, data: bytes) -> bool:
        """Process received bytes; return whether the response is complete.

        Args:
            data: The bytes; b"" is the end of the connection.

        Raises:
            ConnectionLostError: If the connection ended before the response was complete.
            ProtocolError: If the response violates HTTP or exceeds a limit.
        """
        self._received += len(data)
        if self._received > _MAX_RESPONSE:
            raise ResponseTooLargeError("the response is too large", reason="body")

        self._http.receive_data(data)
        while not self._is_complete and (event := self._next_event()) is not h11.NEED_DATA:
            self._take(event)

        return self._is_complete

    def response(self) -> HttpResponse:
        """Return the response.

        Raises:
            ConnectionLostError: If it is not complete: waiting ended because the connection was
                closed by this side.
        """
        if self._head is None or not self._is_complete:
            raise ConnectionLostError("the connection was closed by this side")

        head = self._head
        return HttpResponse(head.status_code, head.headers.raw_items(), bytes(self._body))

    def _take(self, event: object) -> None:
        if type(event) is h11.InformationalResponse:
            self._interim += 1
            if self._interim > MAX_INTERIM_RESPONSES:
                raise ProtocolError("the server sent too many interim responses", reason="interim")
        elif type(event) is h11.Response:
            check_headers(event.headers.raw_items())
            self._head = event
        elif type(event) is h11.Data:
            self._body += event.data
            check_body_size(len(self._body))
        else:
            self._is_complete = True

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as exc:
            raise self._translate(exc) from exc

    def _translate(self, exc: h11.RemoteProtocolError) -> ProvisioningError:
        _, closed = self._http.trailing_data
        if closed:
            return ConnectionLostError(
                "the server closed the connection before its response was complete"
            )

        if exc.error_status_hint == _HEADERS_TOO_LARGE:
            return ResponseTooLargeError(
                "the headers of the response are too large", reason="headers"
            )

        return ProtocolError("the response is not valid HTTP", reason="framing")


def _header_lines(headers: httpx.Headers) -> bytes:
    """Return the lines of headers, checked by h11: once for all devices that send the same."""
    raw = tuple(headers.raw)
    has_secret = b"authorization" in map(bytes.lower, dict(raw))
    return _write(raw) if has_secret else _write_once(raw)


def _write(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    checked = h11.Request(method="GET", target="/", headers=list(headers))
    lines = [b"%b: %b\r\n" % header for header in checked.headers.raw_items()]
    return b"".join((*lines, b"\r\n"))


_write_once = functools.lru_cache(_write)


def _is_quiet(connection: Connection) -> bool:
    """Return whether an idle connection is open and the server has sent no data.

    Reading from it, instead of polling the socket, also processes TLS messages between responses
    (session tickets), which make the socket readable without being data.
    """
    try:
        return connection.receive_nowait() is None
    except ProvisioningError:
        return False


class CustomTransport:
    """The caller's own httpx transport, with its responses checked and its errors translated."""

    usable = True

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def exchange(self, request: httpx.Request) -> HttpResponse:
        """Send a request and return its response.

        Raises:
            TransportError: If it raises an error of httpx or of the operating system. Anything
                else is a mistake in it, and is passed on.
            ProtocolError: If the response exceeds a limit, or has a content encoding.
        """
        try:
            response = await self._transport.handle_async_request(with_url(request))
            try:
                headers = response.headers.raw
                check_headers(headers)
                body = await response.aread()
                check_body_size(len(body))
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError) as exc:
            raise TransportError(f"the HTTP transport failed ({type(exc).__name__})") from exc

        return HttpResponse(response.status_code, headers, body)

    def release_buffer(self) -> None:
        """Do nothing: the caller's connections are not known."""

    def close(self) -> None:
        """Do nothing: the caller closes it."""
