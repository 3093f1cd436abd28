"""MQTT: a session of aiomqtt over a connection of the dialler. Needs asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from aiodps.errors import (
    ConfigurationError,
    ConnectionLostError,
    TransportTimeoutError,
)
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.observe import StepKind
from aiodps.protocol.messages import Request, Response
from aiodps.protocol.mqtt import API_VERSION, user_name
from aiodps.transports.base import Target
from aiodps.transports.paho_session import Session
from aiodps.version import __version__

CONNACK_TIMEOUT = 10.0
"""Seconds from CONNECT to CONNACK."""
SUBACK_TIMEOUT = 10.0
"""Seconds from SUBSCRIBE to SUBACK."""

_CLIENT_VERSION = f"aiodps/{__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MQTT:
    """Settings of the MQTT transport."""

    port: int = 8883
    """TCP port of the service."""
    api_version: str = API_VERSION
    """The service's api-version."""
    keep_alive: int = 60
    """Seconds of silence after which the connection is tried with a ping; 0 for never."""

    def __post_init__(self) -> None:
        """Refuse what TCP and MQTT cannot say."""
        if type(self.port) is not int or not 0 < self.port < 2**16:
            raise ConfigurationError(
                f"the port {self.port!r} does not exist",
                setting="port",
                hint="use a number from 1 to 65535; the service listens on 8883",
            )

        if type(self.keep_alive) is not int or not 0 <= self.keep_alive < 2**16:
            raise ConfigurationError(
                f"the keep-alive {self.keep_alive!r} is not 0 to 65535 seconds",
                setting="keep_alive",
            )

    @property
    def name(self) -> str:
        """The transport's name."""
        return "mqtt"

    def open(self, target: Target) -> MqttTransport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If this is not asyncio.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError as exc:
            raise ConfigurationError(
                "the mqtt transport needs asyncio, and this code does not run on it",
                setting="transport",
                hint="use transport='rest', which also runs on trio",
            ) from exc

        return MqttTransport(self, target)


class MqttTransport:
    """The MQTT transport of one device; see `transports.base.Transport` for its contract."""

    def __init__(self, settings: MQTT, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._session: Session | None = None

    async def connect(self) -> None:
        """Dial, open an MQTT session and subscribe to answers, unless that stands already."""
        if self._session is not None and self._session.is_alive():
            return

        token = await self._target.authorization()
        connection = await dial(self._target.at_port(self._settings.port))
        try:
            self._session = Session(
                connection,
                target=self._target,
                user_name=self._user_name(),
                password=token,
                keep_alive=self._settings.keep_alive,
            )
            await self._open(self._session)
        except BaseException:
            await self.aclose()
            connection.close()
            raise

    async def _open(self, session: Session) -> None:
        self._target.report.phase = Phase.SESSION
        await self._step(StepKind.SESSION_OPENED, session.open, "CONNACK", CONNACK_TIMEOUT)
        await self._step(
            StepKind.SUBSCRIBED, session.subscribe_to_answers, "SUBACK", SUBACK_TIMEOUT
        )
        session.phase = Phase.WAIT

    async def _step(
        self, kind: StepKind, work: Callable[[], Awaitable[None]], answer: str, seconds: float
    ) -> None:
        began = anyio.current_time()
        with anyio.move_on_after(seconds) as limit:
            await work()

        if limit.cancelled_caught:
            raise TransportTimeoutError(f"no {answer} came within {seconds:g} s").locate(
                phase=Phase.SESSION
            )

        self._target.report(kind, Phase.SESSION, took=anyio.current_time() - began)

    def _user_name(self) -> str:
        return user_name(
            id_scope=self._target.id_scope,
            registration_id=self._target.registration_id,
            api_version=self._settings.api_version,
            client_version=_CLIENT_VERSION,
        )

    async def exchange(self, request: Request) -> Response:
        """Publish a request and wait for the answer with its `$rid`, whatever its status."""
        if self._session is None:
            raise ConnectionLostError("there is no connection").locate(phase=Phase.SESSION)

        try:
            return await self._session.exchange(request)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Say good-bye and close the connection; waits for nothing."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
