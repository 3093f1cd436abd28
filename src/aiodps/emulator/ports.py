"""The HTTPS and MQTT ports of an instance."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Self

from anyio.abc import TaskGroup
from OpenSSL import SSL

from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.handshake import TlsHandshake
from aiodps.emulator.connections.listener import Listener
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.dispatch.handshakes import Handshakes
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.frontends.http.frontend import HttpFrontend
from aiodps.emulator.frontends.mqtt.session import MqttFrontend
from aiodps.emulator.request_log.log import ExchangeListener


class Ports:
    """The listening sockets of HTTPS and MQTT."""

    def __init__(self, https: Listener, mqtt: Listener) -> None:
        self._https = https
        self._mqtt = mqtt
        self.connections: ConnectionLimit = ConnectionLimit()
        """The open connections of both ports."""

    @classmethod
    def bind(cls, host: str, *, https_port: int, mqtt_port: int) -> Self:
        """Bind both ports, or none.

        Args:
            host: An address or a name of this machine.
            https_port: 0 for any free one.
            mqtt_port: 0 for any free one.

        Raises:
            ConfigurationError: If one cannot be bound.
        """
        with ExitStack() as taken:
            https = Listener.bind(host, https_port, setting="https_port")
            taken.callback(https.close)
            mqtt = Listener.bind(host, mqtt_port, setting="mqtt_port")
            taken.pop_all()

        return cls(https, mqtt)

    @property
    def numbers(self) -> tuple[int, int]:
        """The actual port numbers of HTTPS and of MQTT."""
        return self._https.port, self._mqtt.port

    def serve(
        self,
        dispatcher: Dispatcher,
        tasks: TaskGroup,
        *,
        context: SSL.Context,
        faults: FaultInjector,
        on_exchange: ExchangeListener,
    ) -> None:
        """Start to accept connections.

        Args:
            dispatcher: Handles the requests.
            tasks: For the tasks of connections.
            context: Of TLS.
            faults: Draws the faults of handshakes.
            on_exchange: Called with each handshake that failed.
        """
        mqtt = MqttFrontend(dispatcher)
        https = HttpFrontend(dispatcher, mqtt)
        for name, listener, frontend in (
            ("https", self._https, https),
            ("mqtt", self._mqtt, mqtt),
        ):
            hook = Handshakes(faults=faults, on_exchange=on_exchange, transport=name)
            tls = TlsHandshake(context=context, hook=hook)
            tasks.start_soon(
                partial(
                    listener.serve,
                    frontend.serve,
                    tasks,
                    connection_limit=self.connections,
                    tls=tls,
                )
            )

    def close(self) -> None:
        """Close both ports."""
        self._https.close()
        self._mqtt.close()
