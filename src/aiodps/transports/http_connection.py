"""HTTP/1.1: an httpx transport straight on h11, over one connection of the dialler.

Everything here is bounded in size, and every error is one of ours.
"""

from __future__ import annotations

import ssl

import anyio.lowlevel
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
from aiodps.protocol.limits import MAX_BODY, MAX_HEADER_BYTES, MAX_INTERIM_RESPONSES
from aiodps.protocol.rest import check_body_size, check_headers

_MAX_RESPONSE = MAX_HEADER_BYTES + MAX_BODY + 64 * 1024
"""Bytes that one response may take, interim responses and the framing of chunks included."""
_HEADERS_TOO_LARGE = 431
"""The status that h11 would answer an endless head, chunk header or trailer with."""


class SingleConnectionTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one open connection, for one exchange at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._received = 0

    @property
    def usable(self) -> bool:
        """Whether another request can be sent: the last response ended, and nothing came since."""
        return self._http.our_state is h11.IDLE and _is_quiet(self._connection)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, with the body read.

        Raises:
            ConnectionLostError: If the connection broke, or cannot be used again.
            TlsError: If TLS broke, or the server refused the device's certificate only now.
            ProtocolError: If the response breaks HTTP or a limit.
        """
        if self._http.our_state is not h11.IDLE:
            raise ConnectionLostError("the connection cannot be used for another request")

        self._received = 0
        await self._send(self._encode(request))
        # Sending and receiving wait only if they must; other tasks have a turn all the same.
        await anyio.lowlevel.checkpoint()
        status_code, headers = await self._read_head()
        body = httpx.ByteStream(await self._read_body())
        response = httpx.Response(status_code, headers=headers, stream=body)
        response.read()
        self._start_next_cycle()
        return response

    def _encode(self, request: httpx.Request) -> bytes:
        head = h11.Request(
            method=request.method, target=request.url.raw_path, headers=request.headers.raw
        )
        events = (head, h11.Data(data=request.content), h11.EndOfMessage())
        return b"".join(self._http.send(event) for event in events)

    async def _send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionLostError:
            # A server that has hung up may have said why: an alert or a response is still to be
            # read, and if there is neither, reading tells that the connection is lost.
            self._http.send_failed()

    async def _read_head(self) -> tuple[int, httpx.Headers]:
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            event = await self._next_event()
            if isinstance(event, h11.Response):
                headers = httpx.Headers(event.headers.raw_items())
                check_headers(headers)
                return event.status_code, headers

        raise ProtocolError("the server keeps putting the response off", reason="interim")

    async def _read_body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            check_body_size(len(body))

        return bytes(body)

    async def _next_event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as exc:
                raise self._translated(exc) from exc

            if event is not h11.NEED_DATA:
                return event

            data = await self._connection.receive()
            self._received += len(data)
            if self._received > _MAX_RESPONSE:
                raise ResponseTooLargeError("the response does not end", reason="body")

            self._http.receive_data(data)

    def _translated(self, exc: h11.RemoteProtocolError) -> ProvisioningError:
        _, closed = self._http.trailing_data
        if closed:
            return ConnectionLostError("the server closed the connection before it had answered")

        if exc.error_status_hint == _HEADERS_TOO_LARGE:
            return ResponseTooLargeError("the response's headers are too large", reason="headers")

        return ProtocolError("the response is not HTTP", reason="framing")

    def _start_next_cycle(self) -> None:
        """Make ready for another request, unless this was the last or something came unasked.

        What came after the response must not be taken for the response to the next request.
        """
        ended = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        unasked, _ = self._http.trailing_data
        if ended and not unasked:
            self._http.start_next_cycle()

    async def aclose(self) -> None:
        """Close the connection at once."""
        self._connection.close()


def _is_quiet(connection: Connection) -> bool:
    """Tell whether an idle connection is open: the server has neither hung up nor said anything.

    Reading, instead of looking at the socket, takes in what TLS has to say between responses
    (session tickets), which is not a sign of an end.
    """
    try:
        connection.socket.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False

    return False


class CustomTransport(httpx.AsyncBaseTransport):
    """An httpx transport of the caller's own, with its responses checked and its errors ours."""

    usable = True

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, with the body read.

        Raises:
            TransportError: If it failed as httpx's or the operating system's networking fails.
                Anything else it raises is a mistake in it, and not hidden.
            ProtocolError: If the response breaks a limit, or is encoded.
        """
        try:
            response = await self._transport.handle_async_request(request)
            try:
                check_headers(response.headers)
                check_body_size(len(await response.aread()))
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError) as exc:
            raise TransportError(f"the HTTP transport failed ({type(exc).__name__})") from exc

        return response

    async def aclose(self) -> None:
        """Leave it open: it is the caller's."""
