"""HTTP/1.1 over a stream: requests within limits, responses in JSON.

What clients do and a strict stack would refuse is accepted: a body on GET, and the header
`Content-Encoding: utf-8` of Microsoft's articles, which is not a coding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import anyio.lowlevel
import h11

from aiodps.emulator.connections.deliver import damage, deliver
from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.connections.timeouts import RESPONSE_SECONDS
from aiodps.emulator.protocol.messages import Json, encode_json

MAX_HEAD: Final = 16 * 1024
"""Bytes of request line and headers."""
MAX_BODY: Final = 128 * 1024
"""Bytes of a body that is read. The service itself refuses more than 96 KB."""
IDLE_SECONDS: Final = 120.0
"""Seconds a connection may be kept alive without a request."""
REQUEST_SILENCE: Final = 30.0
"""Seconds in which a client must send something during a request."""
REQUEST_TOTAL: Final = 90.0
"""Seconds for a whole request."""


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


class HttpConnection:
    """HTTP/1.1 over one stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head_only = False

    @property
    def unread(self) -> bytes:
        """Bytes that the client has sent after its request."""
        return self._http.trailing_data[0]

    async def next_request(self) -> HttpRequest | None:
        """Wait for the next request.

        Returns:
            None if the client has ended the connection.

        Raises:
            RefusedError: If it is not HTTP/1.1, or exceeds a limit.
            PeerLostError: If the connection broke.
        """
        if self._http.our_state is h11.MUST_CLOSE:
            return None

        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            if self.unread:
                # A peer that pipelines requests must not keep the others waiting.
                await anyio.lowlevel.checkpoint()

        self._stream.peer_timeout.start(silence=IDLE_SECONDS, total=IDLE_SECONDS)
        try:
            request = await self._read()
        except h11.RemoteProtocolError as exc:
            raise RefusedError(exc.error_status_hint, str(exc)) from exc

        # The time that the request took must not shorten that for the response.
        self._stream.peer_timeout.ensure(RESPONSE_SECONDS)
        return request

    async def respond(
        self,
        status_code: int,
        body: Json | None,
        headers: Mapping[str, str],
        delivery: Delivery | None = None,
    ) -> None:
        """Send a JSON response.

        Args:
            status_code: Of HTTP.
            body: None for none.
            headers: Additional ones.
            delivery: As a fault demands; None without a fault.

        Raises:
            PeerLostError: If the connection broke, or a fault ends it.
        """
        headers = {**_JSON, **headers}
        content = b"" if body is None else damage(encode_json(body), delivery)
        if delivery is None:
            await self.send(status_code, content, headers)
            return

        headers = {**headers, **delivery.headers}
        message = self._write(status_code, content, headers) if delivery.sent else b""
        await deliver(self._stream, message * (1 + delivery.duplicate), delivery)

    async def send(self, status_code: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Send a response of any kind.

        Raises:
            PeerLostError: If the connection broke.
        """
        await self._stream.send(self._write(status_code, content, headers))

    async def begin(self, status_code: int, headers: Mapping[str, str]) -> None:
        """Start a response that is sent in pieces.

        Raises:
            PeerLostError: If the connection broke.
        """
        await self._stream.send(self._http.send(_head(status_code, headers)) or b"")

    async def send_piece(self, piece: bytes, *, last: bool) -> None:
        """Send a piece of a response.

        Raises:
            PeerLostError: If the connection broke.
        """
        data = self._http.send(h11.Data(data=piece)) or b""
        if last:
            data += self._http.send(h11.EndOfMessage()) or b""

        await self._stream.send(data)

    def _write(self, status_code: int, content: bytes, headers: Mapping[str, str]) -> bytes:
        if self._head_only or status_code == HTTPStatus.NOT_MODIFIED:
            content = b""

        # Without a length it is sent in chunks, as by the service.
        events = (_head(status_code, headers), h11.Data(data=content), h11.EndOfMessage())
        return b"".join(self._http.send(event) or b"" for event in events)

    async def _read(self) -> HttpRequest | None:
        head: h11.Request | None = None
        body = bytearray()
        pieces = 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                await self._take_more(pieces)
                pieces += 1
            elif isinstance(event, h11.Request):
                head = event
                self._head_only = head.method == b"HEAD"
                _check_framing(head)
            elif isinstance(event, h11.Data):
                body += event.data
                _check_length(len(body))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, bytes(body))
            else:
                return None

    async def _take_more(self, pieces: int) -> None:
        if pieces == 1:  # it has not arrived all at once
            self._stream.peer_timeout.start(silence=REQUEST_SILENCE, total=REQUEST_TOTAL)

        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
            await self._stream.send(self._http.send(go_on) or b"")

        self._http.receive_data(await self._stream.receive())


_PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}
_JSON: Mapping[str, str] = {"Content-Type": "application/json; charset=utf-8"}
"""`azure-iot-provisioning-device-http` reads bodies of exactly this type only."""


def _head(status_code: int, headers: Mapping[str, str]) -> h11.Response:
    return h11.Response(
        status_code=status_code,
        reason=_PHRASES.get(status_code, ""),
        headers=list({"Date": formatdate(usegmt=True), **headers}.items()),
    )


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    headers = {name.decode(): value.decode("latin-1") for name, value in reversed(head.headers)}
    return HttpRequest(
        method=head.method.decode(), target=_origin_form(head), headers=headers, body=body
    )


def _origin_form(head: h11.Request) -> str:
    """Return the target as path and query; a client may name scheme and host (RFC 9112, 3.2.2)."""
    target = head.target.decode()
    scheme, mark, rest = target.partition("://")
    if mark and scheme.lower() in {"http", "https"}:
        return "/" + rest.partition("/")[2]

    return target


def _check_framing(head: h11.Request) -> None:
    """Refuse a body whose declared length is too large or ambiguous.

    The latter allows request smuggling (RFC 9112, 6.3).
    """
    headers = dict(head.headers)
    if b"content-length" in headers and b"transfer-encoding" in headers:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "both Content-Length and Transfer-Encoding")

    _check_length(int(headers.get(b"content-length", 0)))


def _check_length(length: int) -> None:
    if length > MAX_BODY:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of over {MAX_BODY} bytes")
