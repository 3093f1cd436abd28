"""Calls the webhooks of custom allocation for the service, which calls nobody itself.

Nothing of the environment counts, no redirect is followed, and what comes back is bounded.
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
from aiodps.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

RESPONSE_SECONDS: Final = 10.0
"""Seconds that a webhook may take, all in all; what the service allows is not published."""
AT_ONCE: Final = 50
"""Calls under way at the same time; the others wait."""

log = logging.getLogger(__name__)


class Webhooks:
    """Performs the calls of one instance.

    Args:
        registrar: Hands out the calls and takes what came of them.
        clock: Tells the time in seconds since 1970.
        ca: File with the CAs to trust for webhooks over HTTPS, in PEM; None for the system's.
        seconds: That a webhook may take.

    Raises:
        ConfigurationError: If the file is of no use.
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
        """Perform calls until cancelled."""
        wake = anyio.Event()
        self._registrar.on_call = lambda: wake.set()  # noqa: PLW0108 (of another event each time)
        if not self._registrar.has_calls:
            await wake.wait()

        # Most instances never call anybody: not before now is trust built or anything loaded.
        import httpx  # noqa: PLC0415

        client = httpx.AsyncClient(
            verify=self._trust or ssl.create_default_context(),
            trust_env=False,
            timeout=self._seconds,
            limits=httpx.Limits(max_connections=AT_ONCE),
            headers={"Content-Type": "application/json"},
        )
        limit = anyio.CapacityLimiter(AT_ONCE)
        async with client, anyio.create_task_group() as tasks:
            while True:
                wake = anyio.Event()
                for call in self._registrar.take_calls():
                    tasks.start_soon(self._perform, client, call, limit)

                await wake.wait()

    async def _perform(
        self, client: httpx.AsyncClient, call: WebhookCall, limit: anyio.CapacityLimiter
    ) -> None:
        async with limit:
            try:
                reply = await self._ask(client, call)
            except Exception:
                # A bug of ours must not end the emulator.
                log.exception("the call of a webhook failed")
                reply = WebhookReply(error="internal error of the emulator")

        self._registrar.webhook_answered(call, reply, now=self._clock())

    async def _ask(self, client: httpx.AsyncClient, call: WebhookCall) -> WebhookReply:
        import httpx  # noqa: PLC0415 (loaded already)

        with anyio.move_on_after(self._seconds):
            try:
                return await _post(client, call)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
                return WebhookReply(error=f"{type(exc).__name__} at the webhook")

        return WebhookReply(error=f"no answer of the webhook within {self._seconds:g} s")


async def _post(client: httpx.AsyncClient, call: WebhookCall) -> WebhookReply:
    body = bytearray()
    async with client.stream("POST", call.url, content=encode_json(call.request)) as response:
        async for chunk in response.aiter_bytes():
            # Read to the end, in any case, but keep no more than tells that it is too much.
            body += chunk[: MAX_RESPONSE + 1 - len(body)]

    return WebhookReply(status_code=response.status_code, body=bytes(body))


def _trust(ca: str | Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"{str(ca)!r} holds no CA certificates: {exc.strerror or exc}",
            setting="webhook_ca",
            hint="give a file with CA certificates in PEM",
        ) from exc
