"""The client of custom allocation webhooks; the service itself opens no connections.

Nothing of the environment is obeyed: no proxies, no CAs, no key log. No redirect is followed, no
cookie is kept, nothing is decompressed, and responses are limited in size before they are held.
"""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from aiodps.emulator.protocol.messages import encode_json
from aiodps.emulator.service.registrations.custom_allocation import (
    MAX_RESPONSE,
    WebhookCall,
    WebhookReply,
)
from aiodps.emulator.service.registrations.register import Registrar
from aiodps.input_files.certificates import certificate_ders
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read

if TYPE_CHECKING:
    import httpx

RESPONSE_SECONDS: Final = 10.0
"""Seconds for a whole call; what the service allows is not published."""
MAX_CALLS: Final = 50
"""Concurrent calls; the others wait."""

log: Final = logging.getLogger(__name__)


class Webhooks:
    """Makes the webhook calls of one instance.

    Args:
        registrar: Source of the calls, and receiver of their results.
        clock: Returns the time in seconds since 1970.
        ca: File with the CAs to trust; None for the system's.
        seconds: Time for a whole call.

    Raises:
        ConfigurationError: If the file holds no CA certificates.
    """

    def __init__(
        self,
        registrar: Registrar,
        *,
        clock: Callable[[], float],
        ca: str | Path | None = None,
        seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._registrar = registrar
        self._clock = clock
        self._seconds = seconds
        self._trust = None if ca is None else _trust(ca)

    async def run(self) -> None:
        """Make calls until cancelled."""
        wake = anyio.Event()
        self._registrar.on_call = lambda: wake.set()  # noqa: PLW0108 (of another event each time)
        if not self._registrar.has_calls:
            await wake.wait()

        # Most instances make no calls: trust and httpx are loaded for the first one.
        import httpx  # noqa: PLC0415

        # No `httpx.AsyncClient`: it keeps cookies, decompresses, and logs URLs with their keys.
        transport = httpx.AsyncHTTPTransport(
            verify=self._trust or _context(),
            trust_env=False,
            limits=httpx.Limits(max_connections=MAX_CALLS),
        )
        limit = anyio.CapacityLimiter(MAX_CALLS)
        async with transport, anyio.create_task_group() as tasks:
            while True:
                wake = anyio.Event()
                for call in self._registrar.take_calls():
                    tasks.start_soon(self._call, transport, call, limit)

                await wake.wait()

    async def _call(
        self, transport: httpx.AsyncHTTPTransport, call: WebhookCall, limit: anyio.CapacityLimiter
    ) -> None:
        async with limit:
            try:
                reply = await self._send(transport, call)
            except Exception as exc:  # noqa: BLE001 (a bug of ours must not end the emulator)
                # Without its traceback, whose texts may contain the URL.
                log.error("the call of a webhook failed: %s", type(exc).__name__)  # noqa: TRY400 (idem)
                reply = WebhookReply(error="internal error of the emulator")

        self._registrar.webhook_answered(call, reply, now=self._clock())

    async def _send(self, transport: httpx.AsyncHTTPTransport, call: WebhookCall) -> WebhookReply:
        import httpx  # noqa: PLC0415 (loaded already)

        with anyio.move_on_after(self._seconds):
            try:
                return await _post(transport, call)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
                return WebhookReply(error=f"{type(exc).__name__} at the webhook")

        return WebhookReply(error=f"no response from the webhook within {self._seconds:g} s")


async def _post(transport: httpx.AsyncHTTPTransport, call: WebhookCall) -> WebhookReply:
    import httpx  # noqa: PLC0415 (loaded already)

    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    request = httpx.Request("POST", call.url, headers=headers, content=encode_json(call.request))
    response = await transport.handle_async_request(request)
    try:
        return await _read(response)
    finally:
        await response.aclose()


async def _read(response: httpx.Response) -> WebhookReply:
    """Read a response as it comes, and no more of it than shows that it is too large."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        return WebhookReply(error="a compressed response from the webhook")

    import httpx  # noqa: PLC0415 (loaded already)

    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk[: MAX_RESPONSE + 1 - len(body)]
            if len(body) > MAX_RESPONSE:
                # Reading on then fails, which ends the generators below in order.
                await response.aclose()
    except (httpx.TransportError, httpx.StreamError):
        if len(body) <= MAX_RESPONSE:
            raise

    return WebhookReply(status_code=response.status_code, body=bytes(body))


def _context(authorities: bytes | None = None) -> ssl.SSLContext:
    """Return a context that trusts these CAs (DER) or the system's, whatever the environment says.

    `ssl.create_default_context` obeys SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is not None:
        context.load_verify_locations(cadata=authorities)
        return context

    if sys.platform == "win32":
        context.load_default_certs()
        return context

    paths = ssl.get_default_verify_paths()
    for path, name in ((paths.openssl_cafile, "cafile"), (paths.openssl_capath, "capath")):
        if Path(path).exists():
            context.load_verify_locations(**{name: path})

    return context


def _trust(ca: str | Path) -> ssl.SSLContext:
    origin = Origin.file(ca, what="CA file", kind="webhook_ca")
    ders = certificate_ders(read(origin), origin)
    try:
        return _context(b"".join(ders))
    except ssl.SSLError as exc:
        raise origin.error(
            "contains a certificate that OpenSSL cannot read",
            reason="not_pem",
            hint="`aiodps certs show FILE` shows what a file contains",
        ) from exc
