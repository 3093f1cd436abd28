"""HTTP/1.1 over one connection of the dialler: httpx's transport layer on httpcore's connection.

Everything here is bounded in size, and nothing but our own errors leaves.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from aiodps.errors import (
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
)
from aiodps.network.dial import Connection
from aiodps.protocol.limits import (
    MAX_BODY,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_INTERIM_RESPONSES,
)
from aiodps.protocol.rest import Header, check_framing


class SingleConnectionTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one connection that stands already."""

    def __init__(self, connection: Connection) -> None:
        self._stream = DialledStream(connection)
        self._http = httpcore.AsyncHTTP11Connection(
            origin=httpcore.Origin(b"https", connection.host.encode("ascii"), 443),
            stream=self._stream,
        )

    @property
    def usable(self) -> bool:
        """Whether a request can be sent: the server has not closed the connection."""
        return not self._http.is_closed() and _is_quiet(self._stream.connection)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return the answer with its body still to be read.

        Raises:
            ProvisioningError: What went wrong, as what it is.
        """
        self._stream.begin()
        url = request.url
        with _ours():
            answer = await self._http.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme,
                        # The connection is for one origin, whose port is of no account here.
                        host=self._stream.host,
                        port=443,
                        target=url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=_Body(request.content),
                )
            )

        return httpx.Response(
            answer.status, headers=answer.headers, stream=_AnswerStream(answer.stream)
        )

    def close(self) -> None:
        """Close at once."""
        self._stream.connection.close()


class _Body:
    """The body of a request in one piece.

    Not a generator: one that is dropped half way, because a write failed, is complained about.
    """

    def __init__(self, data: bytes) -> None:
        self._parts = [data] if data else []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._parts:
            return self._parts.pop()

        raise StopAsyncIteration


class _AnswerStream(httpx.AsyncByteStream):
    """The body of an answer, with httpcore's errors made ours."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Hand the body on: what `httpx.Response` wants to have."""
        yield await self.read()

    async def read(self) -> bytes:
        """Read to the end; the connection can be used again then."""
        with _ours():
            parts = [part async for part in self._stream]
            await self._stream.aclose()

        return b"".join(parts)


class DialledStream(httpcore.AsyncNetworkStream):
    """What httpcore reads from and writes to: a connection, with a budget for each answer."""

    _ANSWER_BYTES = MAX_HEADER_BYTES + MAX_BODY + 64 * 1024
    """Everything an answer may take, framing of chunks included."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.host = connection.host.encode("ascii")
        self._left = 0
        self._heads = 0

    def begin(self) -> None:
        """Begin another exchange."""
        self._left = self._ANSWER_BYTES
        self._heads = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002 (httpcore's)
        """Read; the caller's cancellation is the only time limit."""
        data = await self.connection.receive(min(max_bytes, 65536))
        self._left -= len(data)
        if self._left < 0:
            raise _too_large("does not end")

        self._heads += data.count(b"HTTP/1.1 1")
        if self._heads > MAX_INTERIM_RESPONSES:
            raise ProtocolError("the server keeps putting the answer off", reason="interim")

        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002 (httpcore's)
        """Write.

        A server that has hung up may have said why: httpcore goes on to read after a `WriteError`,
        and finds the alert or the early answer there.
        """
        try:
            await self.connection.send(buffer)
        except ConnectionLostError as exc:
            raise httpcore.WriteError from exc

    async def aclose(self) -> None:
        """Close at once."""
        self.connection.close()

    def get_extra_info(self, info: str) -> None:
        """Tell nothing: whether the connection stands is asked elsewhere."""


def _is_quiet(connection: Connection) -> bool:
    """Tell whether an idle connection stands: the server has neither hung up nor said anything.

    Reading, instead of looking at the socket, takes in what TLS has to say between answers
    (session tickets), which is no sign of an end.
    """
    try:
        connection.socket.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False

    return False


class _ours:  # noqa: N801 (reads as a statement)
    """Lets nothing but our own errors out."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        exc: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        if exc is None or not isinstance(exc, Exception):
            return

        raise _translated(exc) from (exc.__cause__ if isinstance(exc, ProvisioningError) else exc)


def _translated(exc: Exception) -> ProvisioningError:
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ProvisioningError):
            return seen

        seen = seen.__cause__ or seen.__context__

    text = str(exc)
    if isinstance(exc, httpcore.RemoteProtocolError):
        if "disconnected" in text or "without sending complete" in text or "closed" in text:
            return ConnectionLostError("the server closed the connection before it had answered")

        if "too long" in text or "buffer" in text:
            return ResponseTooLargeError("the answer's headers are too large", reason="headers")

        return ProtocolError("the answer is not HTTP", reason="framing")

    return ConnectionLostError(f"the connection broke ({type(exc).__name__})")


async def read_body(answer: httpx.Response, headers: list[Header]) -> bytes:
    """Read the body whole.

    What is told to be too large is refused unread. What turns out to be is stopped below, in
    `DialledStream.read`: leaving this loop early would leave httpcore's generators behind.
    """
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
        raise ResponseTooLargeError(
            f"the answer has {len(headers)} headers of {size} bytes", reason="headers"
        )

    check_framing(headers)
    told = answer.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > MAX_BODY:
        raise _too_large(f"says it has {told[:20]} bytes")

    stream = answer.stream
    assert isinstance(stream, _AnswerStream)  # noqa: S101 (made above)
    body = await stream.read()
    if len(body) > MAX_BODY:
        raise _too_large(f"has {len(body)} bytes")

    return body


def _too_large(size: str) -> ResponseTooLargeError:
    return ResponseTooLargeError(
        f"the answer {size}, {MAX_BODY} is the most that is taken", reason="body"
    )
