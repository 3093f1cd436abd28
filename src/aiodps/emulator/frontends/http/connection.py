"""HTTP/1.1 over a stream: requests within limits, responses in JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import anyio.lowlevel

from aiodps.emulator.connections.deliver import damage, deliver
from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.connections.timeouts import RESPONSE_SECONDS
from aiodps.emulator.frontends.http.requests import HttpRequest, RefusedError, RequestReader
from aiodps.emulator.protocol.messages import Json, encode_json

IDLE_SECONDS: Final = 120.0
"""Seconds a connection may be kept alive without a request."""
REQUEST_SILENCE: Final = 30.0
"""Seconds in which a client must send something during a request."""
REQUEST_TOTAL: Final = 90.0
"""Seconds for a whole request."""


class HttpConnection:
    """HTTP/1.1 over one stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._requests = RequestReader()
        self._keep_alive = True
        self._chunked = True
        self._head_only = False

    @property
    def unread(self) -> bytes:
        """Bytes that the client has sent after its request."""
        return self._requests.unread

    def close(self) -> None:
        """Read no more requests; the stream stays open."""
        self._requests.close()

    async def next_request(self) -> HttpRequest | None:
        """Wait for the next request.

        Returns:
            None if the client has ended the connection.

        Raises:
            RefusedError: If it is not HTTP/1.1, or exceeds a limit.
            PeerLostError: If the connection broke.
        """
        if not self._keep_alive:
            return None

        self._keep_alive = False
        self._stream.peer_timeout.start(silence=IDLE_SECONDS, total=IDLE_SECONDS)
        request = await self._read()
        if request is not None:
            self._keep_alive, self._chunked = request.keep_alive, request.chunked
            self._head_only = request.method == "HEAD"

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
        await self._stream.send(self._head(status_code, headers))

    async def send_piece(self, piece: bytes, *, last: bool) -> None:
        """Send a piece of a response.

        Raises:
            PeerLostError: If the connection broke.
        """
        await self._stream.send(self._body(piece, last=last))

    def _write(self, status_code: int, content: bytes, headers: Mapping[str, str]) -> bytes:
        head = self._head(status_code, headers)
        has_body = not self._head_only and status_code not in _WITHOUT_BODY
        return head + self._body(content, last=True) if has_body else head

    def _head(self, status_code: int, headers: Mapping[str, str]) -> bytes:
        """Write a head; without a length the body is sent in chunks, as by the service."""
        self._keep_alive = self._keep_alive and headers.get("Connection") != "close"
        self._framed = self._chunked and "content-length" not in headers
        own = {"Date": _date(int(time.time()))}
        if self._framed and status_code not in _WITHOUT_BODY:
            own["Transfer-Encoding"] = "chunked"

        if not self._keep_alive:
            own["Connection"] = "close"

        lines = [f"{name}: {value}\r\n" for name, value in {**own, **headers}.items()]
        phrase = _PHRASES.get(status_code, "")
        return f"HTTP/1.1 {status_code} {phrase}\r\n{''.join(lines)}\r\n".encode("latin-1")

    def _body(self, content: bytes, *, last: bool) -> bytes:
        if not self._framed:
            return content

        chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        return chunk + _LAST_CHUNK if last else chunk

    async def _read(self) -> HttpRequest | None:
        pieces = 0
        while (request := self._requests.next_request()) is None:
            if pieces == 1:  # it has not arrived all at once
                self._stream.peer_timeout.start(silence=REQUEST_SILENCE, total=REQUEST_TOTAL)

            if self._requests.awaits_continue():
                await self._stream.send(_CONTINUE)

            data = await self._stream.receive()
            if not data:
                if self._requests.has_begun:
                    raise RefusedError(HTTPStatus.BAD_REQUEST, "the request is incomplete")

                return None

            self._requests.feed(data)
            pieces += 1

        if not pieces:
            # A peer that pipelines requests must not keep the others waiting.
            await anyio.lowlevel.checkpoint()

        return request


_PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}
_JSON: Mapping[str, str] = {"Content-Type": "application/json; charset=utf-8"}
"""`azure-iot-provisioning-device-http` reads bodies of exactly this type only."""
_WITHOUT_BODY: Final = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
