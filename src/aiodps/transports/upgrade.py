"""The upgrade of a TLS connection to a WebSocket, and what a server says that refuses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import anyio
import h11
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Event, RejectConnection, RejectData, Request
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from aiodps.errors import (
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    RedirectRefusedError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedStatusError,
)
from aiodps.models import Phase
from aiodps.network.dial import Connection
from aiodps.observe import Reporter, StepKind
from aiodps.printable import printable
from aiodps.protocol.limits import MAX_HEADER_BYTES
from aiodps.protocol.masking import masked_headers
from aiodps.protocol.mqtt import WEBSOCKET_PATH, WEBSOCKET_SUBPROTOCOL
from aiodps.protocol.rest import HttpResponse, parse_response
from aiodps.transports.websocket import WebSocketConnection

BODY_TIMEOUT = 1.0
"""Seconds to wait for more of a refusal whose status is known."""
_EXCERPT = 200
"""Characters of a response that are shown in an error."""
_MEANINGFUL = {b"content-type", b"date", b"location", b"retry-after"}
_REFUSED_HINT = "something on the way refuses WebSockets: try transport 'rest', or 'mqtt' on 8883"
_PORTAL_HINT = "look for a captive portal or a proxy: the service itself would have upgraded"


async def upgrade(
    connection: Connection, *, authority: str, report: Reporter
) -> WebSocketConnection:
    """Upgrade an open connection to a WebSocket for MQTT.

    Args:
        connection: The connection; closed by the caller if this fails.
        authority: Host of the service, with the port unless it is 443.
        report: Reports what is sent and received.

    Raises:
        ConnectionLostError: If the connection was lost.
        TlsError: If the TLS data is invalid, or the server rejects the certificate only now.
        ServiceError: If the server refuses, with its status.
        ProtocolError: If it redirects, or its answer is not valid or too large.
    """
    return await _Upgrade(connection, report).run(authority)


class _Upgrade:
    def __init__(self, connection: Connection, report: Reporter) -> None:
        self._connection = connection
        self._report = report
        self._handshake = H11Handshake(ConnectionType.CLIENT)
        self._refusal: RejectConnection | None = None
        self._body = bytearray()

    async def run(self, authority: str) -> WebSocketConnection:
        request = self._handshake.send(
            Request(host=authority, target=WEBSOCKET_PATH, subprotocols=[WEBSOCKET_SUBPROTOCOL])
        )
        self._report(StepKind.SENT, Phase.SESSION, text=request.decode("ascii").strip)
        # A server that closed the connection may have said why.
        with contextlib.suppress(ConnectionLostError):
            await self._connection.send(request)

        received = 0
        while received <= MAX_HEADER_BYTES:
            data = await self._receive()
            received += len(data)
            accepted = self._accepted(data)
            if accepted is not None:
                return accepted

        raise _too_large()

    async def _receive(self) -> bytes:
        if self._refusal is None:
            return await self._connection.receive()

        with contextlib.suppress(ConnectionLostError), anyio.move_on_after(BODY_TIMEOUT):
            return await self._connection.receive()

        return b""

    def _accepted(self, data: bytes) -> WebSocketConnection | None:
        """Process what has arrived; b"" is the end. None if more is needed.

        Raises:
            ProvisioningError: If the server has refused.
        """
        for event in self._events(data):
            match event:
                case AcceptConnection(subprotocol=subprotocol, extra_headers=headers):
                    self._tell(101, headers)
                    return self._opened(subprotocol)
                case RejectConnection(status_code=status) if status >= 200:  # noqa: PLR2004
                    self._refusal = event
                case RejectData(data=body):
                    self._body += body
                    if event.body_finished or len(self._body) >= _EXCERPT * 4:
                        raise self._refused()

        if not data:
            raise (
                self._refused()
                if self._refusal
                else ConnectionLostError(
                    "the server closed the connection instead of answering the upgrade"
                )
            )

        return None

    def _events(self, data: bytes) -> Iterable[Event]:
        if not data:
            return ()

        try:
            self._handshake.receive_data(data)
        except (RemoteProtocolError, UnicodeError) as exc:
            raise _invalid(exc) from exc

        return self._handshake.events()

    def _opened(self, subprotocol: str | None) -> WebSocketConnection:
        if subprotocol is None:
            raise ProtocolError(
                "the server did not choose the WebSocket subprotocol mqtt", reason="websocket"
            )

        frames = self._handshake.connection
        assert frames is not None  # noqa: S101 (it was accepted)
        return WebSocketConnection(self._connection, frames)

    def _refused(self) -> ProvisioningError:
        assert self._refusal is not None  # noqa: S101 (its body follows it)
        status, headers = self._refusal.status_code, self._refusal.headers
        excerpt = printable(" ".join(self._body.decode(errors="replace").split()))[:_EXCERPT]
        self._tell(status, headers, excerpt)
        meaningful = [each for each in headers if each[0] in _MEANINGFUL]
        return _refusal(HttpResponse(status, meaningful, b""), excerpt)

    def _tell(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], excerpt: str = ""
    ) -> None:
        def text() -> str:
            lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
            return f"HTTP/1.1 {status}\n{masked_headers(lines)}\n\n{excerpt}".strip()

        self._report(StepKind.RECEIVED, Phase.SESSION, text=text)


def _too_large() -> ResponseTooLargeError:
    return ResponseTooLargeError("the answer to the upgrade is too large", reason="headers")


def _invalid(exc: Exception) -> ProtocolError:
    match exc.__context__:
        case h11.RemoteProtocolError(error_status_hint=431):
            return _too_large()
        case h11.RemoteProtocolError():
            return ProtocolError("the answer to the upgrade is not valid HTTP", reason="framing")
        case _:
            fault = f"the answer to the upgrade is not valid: {str(exc)[:_EXCERPT]}"
            return ProtocolError(fault, reason="websocket")


def _refusal(answer: HttpResponse, excerpt: str) -> ProvisioningError:
    """Return the error of a refusal, which is never about the device: DPS does not know it yet."""
    response = parse_response(answer)
    status = response.status_code
    said = f": {excerpt!a}" if excerpt else ""
    message = f"the server answered the WebSocket upgrade with HTTP {status}{said}"
    match status:
        case 429:
            return ThrottledError(message, status_code=status, retry_after=response.retry_after)
        case 500 | 502 | 503 | 504:
            return ServiceUnavailableError(
                message, status_code=status, retry_after=response.retry_after, hint=_REFUSED_HINT
            )
        case _ if status // 100 == 3:  # noqa: PLR2004 (redirects)
            target = response.location or "an unnamed host"
            return RedirectRefusedError(
                f"the server redirects the WebSocket to {target} (status {status})", reason=target
            )
        case _:
            portal = status // 100 == 2 or "html" in (response.content_type or "")  # noqa: PLR2004
            return UnexpectedStatusError(
                message, status_code=status, hint=_PORTAL_HINT if portal else _REFUSED_HINT
            )
