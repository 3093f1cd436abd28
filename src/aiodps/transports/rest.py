"""REST: httpx's transport layer over a connection of the dialler.

There is no `httpx.AsyncClient` here: what it adds (redirects, cookies, authentication, proxies of
the environment, decompression) is what must not happen, and what is not there cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from aiodps.errors import ConfigurationError, ConnectionLostError
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.observe import StepKind
from aiodps.protocol.masking import shown_body, shown_headers
from aiodps.protocol.messages import Register, Request, Response
from aiodps.protocol.rest import (
    API_VERSION,
    Header,
    HttpRequest,
    build_request,
    parse_response,
)
from aiodps.transports.base import Target
from aiodps.transports.http_connection import SingleConnectionTransport, read_body
from aiodps.version import __version__

_USER_AGENT = f"aiodps/{__version__}"


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
        self._http: SingleConnectionTransport | None = None

    async def connect(self) -> None:
        """Dial, unless a connection stands already."""
        if self._http is not None and self._http.usable:
            return

        await self.aclose()
        self._http = SingleConnectionTransport(
            await dial(self._target.at_port(self._settings.port))
        )

    async def exchange(self, request: Request) -> Response:
        """Send a request over the connection and return its answer, whatever its status."""
        if self._http is None:
            raise ConnectionLostError("there is no connection")

        phase = Phase.REGISTER if isinstance(request, Register) else Phase.POLL
        try:
            return await self._exchange(self._http, await self._build(request), phase)
        except BaseException:
            await self.aclose()
            raise

    async def _build(self, request: Request) -> HttpRequest:
        target = self._target
        return build_request(
            request,
            host=_authority(target.endpoint, self._settings.port),
            id_scope=target.id_scope,
            registration_id=target.registration_id,
            api_version=self._settings.api_version,
            user_agent=_USER_AGENT,
            authorization=await target.authorization(),
        )

    async def _exchange(
        self, http: SingleConnectionTransport, request: HttpRequest, phase: Phase
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
        body = await read_body(answer, headers)
        report(
            StepKind.RECEIVED, phase, text=lambda: _shown_answer(answer.status_code, headers, body)
        )
        return parse_response(answer.status_code, headers, body)

    async def aclose(self) -> None:
        """Close the connection; waits for nothing."""
        http, self._http = self._http, None
        if http is not None:
            http.close()


def _authority(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == 443 else f"{name}:{port}"  # noqa: PLR2004 (the port of https)


def _shown_request(request: HttpRequest) -> str:
    return _shown(f"{request.method} {request.path} HTTP/1.1", request.headers, request.body)


def _shown_answer(status_code: int, headers: Iterable[Header], body: bytes) -> str:
    return _shown(f"HTTP/1.1 {status_code}", headers, body)


def _shown(first: str, headers: Iterable[Header], body: bytes) -> str:
    return f"{first}\n{shown_headers(list(headers))}\n\n{shown_body(body)}"
