"""REST: httpx's transport layer over a connection of the dialler.

There is no `httpx.AsyncClient` here: what it adds (redirects, cookies, authentication, proxies of
the environment, decompression) is what must not happen, and what is not there cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import anyio
import httpcore
import httpx

from aiodps.errors import (
    ConfigurationError,
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
)
from aiodps.models import Phase
from aiodps.observe import StepKind
from aiodps.protocol.limits import (
    MAX_BODY,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_INTERIM_RESPONSES,
)
from aiodps.protocol.masking import shown_body, shown_headers
from aiodps.protocol.messages import Register, Request, Response
from aiodps.protocol.rest import (
    API_VERSION,
    Header,
    HttpRequest,
    build_request,
    check_framing,
    parse_response,
)
from aiodps.transports.base import Target
from aiodps.transports.dial import Connection, dial

_USER_AGENT = f"aiodps/{version('aiodps')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class REST:
    """Settings of the REST transport."""

    port: int = 443
    """TCP port of the service."""
    api_version: str = API_VERSION
    """The service's api-version."""

    def __post_init__(self) -> None:
        """Refuse ports that do not exist."""
        if type(self.port) is not int or not 0 < self.port < 2**16:
            raise ConfigurationError(
                f"the port {self.port!r} does not exist",
                setting="port",
                hint="use a number from 1 to 65535; the service listens on 443",
            )

    @property
    def name(self) -> str:
        """The transport's name."""
        return "rest"

    def open(self, target: Target) -> RestTransport:
        """Return a transport that is not connected yet."""
        return RestTransport(self, target)


class RestTransport:
    """The REST transport of one device; see `transports.base.Transport` for its contract."""

    def __init__(self, settings: REST, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._http: DialledTransport | None = None

    async def connect(self) -> None:
        """Dial, unless a connection stands already."""
        if self._http is not None and self._http.usable:
            await anyio.lowlevel.checkpoint()
            return

        await self.aclose()
        self._http = DialledTransport(await dial(self._target, port=self._settings.port))

    async def exchange(self, request: Request) -> Response:
        """Send a request over the connection and return its answer, whatever its status."""
        if self._http is None:
            raise ConnectionLostError("there is no connection")

        phase = Phase.REGISTER if isinstance(request, Register) else Phase.POLL
        try:
            return await self._exchange(self._http, self._build(request), phase)
        except BaseException:
            await self.aclose()
            raise

    def _build(self, request: Request) -> HttpRequest:
        target = self._target
        return build_request(
            request,
            host=_authority(target.endpoint, self._settings.port),
            id_scope=target.id_scope,
            registration_id=target.registration_id,
            api_version=self._settings.api_version,
            user_agent=_USER_AGENT,
        )

    async def _exchange(
        self, http: DialledTransport, request: HttpRequest, phase: Phase
    ) -> Response:
        report = self._target.report
        report(StepKind.SENT, phase, text=lambda: _shown_request(request))
        answer = await http.handle_async_request(
            httpx.Request(
                request.method,
                f"https://{_authority(self._target.endpoint, self._settings.port)}{request.path}",
                headers=request.headers,
                content=request.body or None,
            )
        )
        headers = answer.headers.multi_items()
        body = await _read(answer, headers)
        report(
            StepKind.RECEIVED, phase, text=lambda: _shown_answer(answer.status_code, headers, body)
        )
        return parse_response(answer.status_code, headers, body)

    async def aclose(self) -> None:
        """Close the connection; waits for nothing."""
        http, self._http = self._http, None
        if http is not None:
            http.close()


class DialledTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one connection that stands already."""

    def __init__(self, connection: Connection) -> None:
        self._stream = DialledStream(connection)
        self._http = httpcore.AsyncHTTP11Connection(
            origin=httpcore.Origin(b"https", connection.host.encode("ascii"), 443),
            stream=self._stream,
        )

    @property
    def usable(self) -> bool:
        """Whether another request can be sent: idle, and the server has not closed it."""
        return self._http.is_idle() and not self._http.has_expired()

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
                    content=request.stream,
                )
            )

        return httpx.Response(
            answer.status, headers=answer.headers, stream=_AnswerStream(answer.stream)
        )

    def close(self) -> None:
        """Close at once."""
        self._stream.connection.close()


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

    def get_extra_info(self, info: str) -> Any:
        """Tell whether there is something to read, which in an idle connection is its end."""
        if info == "is_readable":
            return _is_readable(self.connection)

        return None


def _is_readable(connection: Connection) -> bool:
    """Peek without waiting: an idle connection has nothing to say but good-bye."""
    sock = connection.socket
    if sock.fileno() < 0 or sock.pending():
        return True

    import select  # noqa: PLC0415

    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


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


async def _read(answer: httpx.Response, headers: list[Header]) -> bytes:
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


def _authority(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == 443 else f"{name}:{port}"  # noqa: PLR2004 (the port of https)


def _shown_request(request: HttpRequest) -> str:
    return _shown(f"{request.method} {request.path} HTTP/1.1", request.headers, request.body)


def _shown_answer(status_code: int, headers: Iterable[Header], body: bytes) -> str:
    return _shown(f"HTTP/1.1 {status_code}", headers, body)


def _shown(first: str, headers: Iterable[Header], body: bytes) -> str:
    return f"{first}\n{shown_headers(list(headers))}\n\n{shown_body(body)}"
