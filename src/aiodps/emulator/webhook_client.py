"""The client of custom allocation webhooks; the service itself opens no connections.

Proxies of the environment are ignored, no redirect is followed, and responses are bounded.
"""

from __future__ import annotations

import logging
import ssl
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

        client = httpx.AsyncClient(
            verify=self._trust or ssl.create_default_context(),
            trust_env=False,
            timeout=self._seconds,
            limits=httpx.Limits(max_connections=MAX_CALLS),
            headers={"Content-Type": "application/json"},
        )
        limit = anyio.CapacityLimiter(MAX_CALLS)
        async with client, anyio.create_task_group() as tasks:
            while True:
                wake = anyio.Event()
                for call in self._registrar.take_calls():
                    tasks.start_soon(self._call, client, call, limit)

                await wake.wait()

    async def _call(
        self, client: httpx.AsyncClient, call: WebhookCall, limit: anyio.CapacityLimiter
    ) -> None:
        async with limit:
            try:
                reply = await self._send(client, call)
            except Exception:
                # A bug of ours must not end the emulator.
                log.exception("the call of a webhook failed")
                reply = WebhookReply(error="internal error of the emulator")

        self._registrar.webhook_answered(call, reply, now=self._clock())

    async def _send(self, client: httpx.AsyncClient, call: WebhookCall) -> WebhookReply:
        import httpx  # noqa: PLC0415 (loaded already)

        with anyio.move_on_after(self._seconds):
            try:
                return await _post(client, call)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
                return WebhookReply(error=f"{type(exc).__name__} at the webhook")

        return WebhookReply(error=f"no response from the webhook within {self._seconds:g} s")


async def _post(client: httpx.AsyncClient, call: WebhookCall) -> WebhookReply:
    body = bytearray()
    async with client.stream("POST", call.url, content=encode_json(call.request)) as response:
        async for chunk in response.aiter_bytes():
            # Read to the end, but keep no more than shows that it is too large.
            body += chunk[: MAX_RESPONSE + 1 - len(body)]

    return WebhookReply(status_code=response.status_code, body=bytes(body))


def _trust(ca: str | Path) -> ssl.SSLContext:
    origin = Origin.file(ca, what="CA file", kind="webhook_ca")
    ders = certificate_ders(read(origin), origin)
    try:
        return ssl.create_default_context(cadata=b"".join(ders))
    except ssl.SSLError as exc:
        raise origin.error(
            "contains a certificate that OpenSSL cannot read",
            reason="not_pem",
            hint="`aiodps certs show FILE` shows what a file contains",
        ) from exc
