"""The REST transport: HTTP over a connection of the dialler, or the caller's httpx transport.

`httpx.AsyncClient` is not used: everything it adds (redirects, cookies, authentication, proxies
from the environment, decompression) would have to be switched off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from aiodps.errors import ConfigurationError, ConnectionLostError
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.network.event_loop import sleep_until
from aiodps.observe import StepKind
from aiodps.protocol.api_versions import choose_api_version
from aiodps.protocol.identifiers import check_api_version, check_port
from aiodps.protocol.masking import masked_body, masked_headers
from aiodps.protocol.messages import Register, Request, Response
from aiodps.protocol.rest import (
    API_VERSION,
    HttpResponse,
    RequestBuilder,
    parse_response,
    request_target,
)
from aiodps.transports.base import Target
from aiodps.transports.http_connection import CustomTransport, HttpConnection
from aiodps.version import __version__

_USER_AGENT = f"aiodps/{__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class REST:
    """Settings of the REST transport."""

    port: int = 443
    """TCP port of the service."""
    api_version: str | None = None
    """The service's api-version; None for 2021-10-01, or for 2026-11-01 if the device asks for a
    certificate."""
    http_transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)
    """Your own httpx transport, such as `httpx.MockTransport`, or None to connect to the service.
    You have to close it. It decides what to connect to and how to authenticate: neither `trust`
    nor the device's certificate is used."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if a setting is not valid."""
        check_port(self.port)
        if self.api_version is not None:
            check_api_version(self.api_version)

        if not isinstance(self.http_transport, httpx.AsyncBaseTransport | None):
            raise ConfigurationError(
                f"a {type(self.http_transport).__name__} is not an httpx.AsyncBaseTransport",
                setting="http_transport",
            )

    @property
    def name(self) -> str:
        """The transport's name."""
        return "rest"

    @property
    def tcp_port(self) -> int:
        """The TCP port that is connected to."""
        return self.port

    def open(self, target: Target) -> RestTransport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If a proxy or an address was given, and `http_transport` as well.
        """
        if self.http_transport is not None and (target.proxy or target.address):
            raise ConfigurationError(
                "http_transport connects by itself: neither a proxy nor an address is used",
                setting="proxy" if target.proxy else "address",
                hint="leave it out, or give it to your own HTTP transport",
            )

        return RestTransport(self, target)


class RestTransport:
    """The REST transport of one device; `transports.base.Transport` is its contract."""

    def __init__(self, settings: REST, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._builder = RequestBuilder(
            host=target.authority(settings.port),
            id_scope=target.id_scope,
            registration_id=target.registration_id,
            api_version=choose_api_version(
                settings.api_version, default=API_VERSION, csr=target.csr
            ),
            user_agent=_USER_AGENT,
        )
        self._http: HttpConnection | CustomTransport | None = None

    async def connect(self) -> None:
        """Connect, unless a connection is open already or an HTTP transport was given."""
        if self._http is not None and self._http.usable:
            return

        self.close()
        if (given := self._settings.http_transport) is not None:
            self._http = CustomTransport(given)
        else:
            connection = await dial(self._target.at_port(self._settings.port))
            self._http = HttpConnection(connection)

        if self._target.turn is not None:
            await self._take_turn(self._target.turn)

    async def _take_turn(self, turn: Callable[[], Awaitable[None]]) -> None:
        try:
            await turn()
        except BaseException:
            self.close()
            raise

    async def exchange(self, request: Request) -> Response:
        """Send a request over the connection and return its response, whatever its status."""
        if self._http is None:
            raise ConnectionLostError("no connection is open")

        phase = Phase.REGISTER if isinstance(request, Register) else Phase.POLL
        target, report = self._target, self._target.report
        try:
            http_request = self._builder.build(
                request, authorization=await target.authorization(), tpm=target.tpm_keys
            )
            report(StepKind.SENT, phase, text=lambda: _request_text(http_request))
            response = await self._http.exchange(http_request)
            report(StepKind.RECEIVED, phase, text=lambda: _response_text(response))
            return parse_response(response)
        except BaseException:
            self.close()
            raise

    def wait_until(self, when: float) -> Coroutine[Any, Any, None]:
        """Wait; the server may close the connection meanwhile."""
        if self._http is not None:
            self._http.release_buffer()

        return sleep_until(when)

    def close(self) -> None:
        """Close the connection, without waiting."""
        http, self._http = self._http, None
        if http is not None:
            http.close()


def _request_text(request: httpx.Request) -> str:
    first = f"{request.method} {request_target(request).decode()} HTTP/1.1"
    return _text(first, request.headers.raw, request.content)


def _response_text(response: HttpResponse) -> str:
    return _text(f"HTTP/1.1 {response.status_code}", response.headers, response.body)


def _text(first: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> str:
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return f"{first}\n{masked_headers(lines)}\n\n{masked_body(body)}"
