"""The MQTT transport: a session over a connection of the dialler; aiomqtt or we write its packets.

The connection is TLS on port 8883, or a WebSocket on port 443.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio

from aiodps.argument_types import check_type
from aiodps.errors import (
    ConfigurationError,
    ConnectionLostError,
    ProvisioningError,
    TransportTimeoutError,
)
from aiodps.models import Phase
from aiodps.network.dial import Connection, dial
from aiodps.network.event_loop import check_watches_sockets, sleep_until, watches_sockets
from aiodps.observe import StepKind, event_loop_clock
from aiodps.protocol.api_versions import choose_api_version
from aiodps.protocol.identifiers import check_api_version, check_port
from aiodps.protocol.messages import Request, Response
from aiodps.protocol.mqtt import API_VERSION, no_look_up, user_name
from aiodps.transports.base import SessionName, Target, check_session
from aiodps.transports.conversation import Conversation, PacketWriter
from aiodps.transports.mqtt_session import MqttSession
from aiodps.transports.native_writer import NativeWriter
from aiodps.transports.upgrade import upgrade
from aiodps.transports.websocket import ByteConnection
from aiodps.version import __version__

UPGRADE_TIMEOUT = 10.0
"""Seconds from the request for a WebSocket to its answer."""

_CLIENT_VERSION = f"aiodps/{__version__}"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MQTT:
    """Settings of the MQTT transport."""

    port: int | None = None
    """TCP port of the service; None for 8883, or for 443 over WebSocket."""
    websocket: bool = False
    """Whether to connect over WebSocket, for networks that let only HTTPS through."""
    api_version: str | None = None
    """The service's api-version; None for 2019-03-31, or for 2026-11-01 if the device asks for a
    certificate."""
    keep_alive: int = 60
    """Keep-alive interval in seconds, after which an idle connection is pinged; 0 for never."""
    session: SessionName | None = None
    """What speaks MQTT: "aiomqtt", on asyncio, or "native", which runs on every event loop and
    needs no library. None for aiomqtt, or for native where aiomqtt does not run: on trio, and on
    asyncio's default event loop of Windows."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if a setting is not valid."""
        check_port(self.tcp_port)
        check_type(self.websocket, bool, "websocket")
        if self.api_version is not None:
            check_api_version(self.api_version)

        if self.session is not None:
            check_session(self.session)

        if type(self.keep_alive) is not int or not 0 <= self.keep_alive < 2**16:
            raise ConfigurationError(
                f"the keep-alive {self.keep_alive!r} is not an integer from 0 to 65535",
                setting="keep_alive",
            )

    @property
    def name(self) -> str:
        """The transport's name."""
        return "mqtt-ws" if self.websocket else "mqtt"

    @property
    def tcp_port(self) -> int:
        """The TCP port that is connected to."""
        if self.port is not None:
            return self.port

        return 443 if self.websocket else 8883

    def open(self, target: Target) -> MqttTransport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If the session is of aiomqtt and the event loop does not watch
                sockets (trio's, and asyncio's default on Windows), the attestation is a TPM, or
                the target is a look-up.
        """
        if target.look_up:
            raise no_look_up()

        if self.session == "aiomqtt":
            check_watches_sockets(self.session)

        if getattr(target.attestation, "has_tpm", False):
            # The challenge is in the answer to a register request without credentials, which MQTT
            # does not have: a session without a password is refused.
            raise ConfigurationError(
                "TPM attestation is not possible over MQTT",
                setting="transport",
                hint="use transport='rest'",
            )

        return MqttTransport(self, target)


class MqttTransport:
    """The MQTT transport of one device; `transports.base.Transport` is its contract."""

    def __init__(self, settings: MQTT, target: Target) -> None:
        self._writer_type = _writer_type(settings.session)
        self._settings = settings
        self._target = target
        self._api_version = choose_api_version(
            settings.api_version, default=API_VERSION, csr=target.csr
        )
        self._clock = event_loop_clock()
        self._session: MqttSession | None = None

    async def connect(self) -> None:
        """Connect, open an MQTT session and subscribe, unless a session is open already."""
        if self._session is not None and self._session.is_alive():
            return

        # Before the connection, because a key in an HSM may be slow; not kept in a local, which a
        # traceback could show.
        self._target.report.phase = Phase.CONFIGURATION
        await self._target.authorization()
        connection = await dial(self._target.at_port(self._settings.tcp_port))
        try:
            stream = await self._upgraded(connection) if self._settings.websocket else connection
            if self._target.turn is not None:
                await self._target.turn()

            keep_alive = self._settings.keep_alive
            writer = self._writer_type(
                client_id=self._target.registration_id,
                user_name=self._user_name(),
                password=await self._target.authorization(),
                keep_alive=keep_alive,
            )
            talk = Conversation(
                writer,
                registration_id=self._target.registration_id,
                report=self._target.report,
            )
            self._session = MqttSession(stream, talk, keep_alive=keep_alive)
            await self._open(self._session)
        except BaseException:
            self.close()
            connection.close()
            raise

    async def _upgraded(self, connection: Connection) -> ByteConnection:
        report = self._target.report
        report.phase = Phase.SESSION
        work = partial(
            upgrade,
            connection,
            authority=self._target.authority(self._settings.tcp_port),
            report=report,
        )
        try:
            with anyio.move_on_after(UPGRADE_TIMEOUT):
                return await self._step(StepKind.UPGRADED, work)
        except ProvisioningError as error:
            error.locate(phase=Phase.SESSION)
            raise

        raise TransportTimeoutError(
            f"no answer to the upgrade arrived within {UPGRADE_TIMEOUT:g} s"
        ).locate(phase=Phase.SESSION)

    async def _open(self, session: MqttSession) -> None:
        self._target.report.phase = Phase.SESSION
        await self._step(StepKind.SESSION_OPENED, session.open)
        await self._step(StepKind.SUBSCRIBED, session.subscribe)

    async def _step(self, kind: StepKind, work: Callable[[], Awaitable[T]]) -> T:
        began = self._clock()
        result = await work()
        self._target.report(kind, Phase.SESSION, took=self._clock() - began)
        return result

    def _user_name(self) -> str:
        return user_name(
            id_scope=self._target.id_scope,
            registration_id=self._target.registration_id,
            api_version=self._api_version,
            client_version=_CLIENT_VERSION,
        )

    async def exchange(self, request: Request) -> Response:
        """Publish a request and return the response with its `$rid`, whatever its status."""
        if self._session is None:
            raise ConnectionLostError("no connection is open").locate(phase=Phase.SESSION)

        try:
            return await self._session.exchange(request)
        except BaseException:
            self.close()
            raise

    def wait_until(self, when: float) -> Coroutine[Any, Any, None]:
        """Wait, and keep the session alive meanwhile."""
        return (sleep_until if self._session is None else self._session.wait_until)(when)

    def close(self) -> None:
        """Send DISCONNECT and close the connection, without waiting."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _writer_type(name: SessionName | None) -> type[PacketWriter]:
    """Import the writer of a session's packets: aiomqtt only if it is used."""
    if name == "native" or (name is None and not watches_sockets()):
        return NativeWriter

    from aiodps.transports.paho_writer import PahoWriter  # noqa: PLC0415

    return PahoWriter
