"""The ports of an instance, and what is spoken on them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Self

from anyio.abc import TaskGroup
from OpenSSL import SSL

from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.handshake import Door
from aiodps.emulator.connections.listener import OPEN_DOOR, Listener
from aiodps.emulator.dispatch import Dispatcher
from aiodps.emulator.frontends.http.frontend import HttpFrontend
from aiodps.emulator.frontends.mqtt.session import MqttFrontend
from aiodps.errors import ConfigurationError


class Ports:
    """HTTPS and MQTT."""

    def __init__(self, https: Listener, mqtt: Listener) -> None:
        self._https = https
        self._mqtt = mqtt

    @classmethod
    def bind(cls, host: str, *, https_port: int, mqtt_port: int) -> Self:
        """Take both ports, or none.

        Args:
            host: An address or a name of this machine.
            https_port: 0 for any free one.
            mqtt_port: 0 for any free one.

        Raises:
            ConfigurationError: If one is taken, or not ours to take.
        """
        with ExitStack() as taken:
            https = Listener.bind(host, https_port, setting="https_port")
            taken.callback(https.close)
            mqtt = Listener.bind(host, mqtt_port, setting="mqtt_port")
            taken.pop_all()

        return cls(https, mqtt)

    @property
    def numbers(self) -> tuple[int, int]:
        """The real ones: of HTTPS and of MQTT."""
        return self._https.port, self._mqtt.port

    def serve(
        self,
        dispatcher: Dispatcher,
        context: SSL.Context,
        tasks: TaskGroup,
        *,
        door: Callable[[str], Door] = lambda _: OPEN_DOOR,
    ) -> None:
        """Begin to accept connections.

        Args:
            dispatcher: Where requests are handed in.
            context: For TLS.
            tasks: Where connections get their tasks.
            door: Makes what decides about the handshakes of a port, by the port's name in the
                journal.
        """
        connection_limit = ConnectionLimit()
        mqtt = MqttFrontend(dispatcher)
        https = HttpFrontend(dispatcher, mqtt)
        for name, listener, transport in (
            ("https", self._https, https),
            ("mqtt", self._mqtt, mqtt),
        ):
            serve = partial(
                listener.serve, connection_limit=connection_limit, context=context, door=door(name)
            )
            tasks.start_soon(serve, transport.serve, tasks)

    def close(self) -> None:
        """Give them back."""
        self._https.close()
        self._mqtt.close()


def check_host(host: str, *, beyond_loopback: bool) -> None:
    """Refuse a host that other machines can reach, unless that is allowed.

    Raises:
        ConfigurationError: If it can be reached, or is a name that may be.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False

    if not loopback and not beyond_loopback:
        raise ConfigurationError(
            f"{host!r} can be reached from other machines, and the emulator is not secure",
            setting="host",
            hint="use 127.0.0.1, or say beyond_loopback=True, --i-know-this-is-not-secure",
        )
