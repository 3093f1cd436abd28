"""A service that can be reached in three ways, for races between them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
from tests.scripted import http, mqtt, websocket
from tests.scripted.server import Line, Script, ScriptedServer, silent, steps

from aiodps.observe import Step, StepKind
from aiodps.transports import race
from aiodps.transports.auto import Auto
from aiodps.transports.base import Target, Transport
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST

NEVER = 3600.0
"""A stagger that nobody waits for."""


class Ways:
    """A service that can be reached in three ways, each with a script of its own."""

    def __init__(self, *, mqtt: Script, ws: Script, rest: Script) -> None:
        self.mqtt = _mqtt_server(mqtt)
        self.ws = websocket.WebSocketServer(ws)
        self.rest = http.HttpServer(rest)
        self.steps: list[Step] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[Ways]:
        """Listen; at the end every connection has to be closed."""
        with self.mqtt, self.ws, self.rest:
            yield self

    def target(self, **more: Any) -> Target:
        """Return what to connect to."""
        return self.mqtt.target(self.steps.append, **{"transport": "auto", **more})

    def settings(self, stagger: float = NEVER) -> Auto:
        """Return the settings of the race."""
        return Auto(
            transports=(
                MQTT(port=self.mqtt.port),
                MQTT(port=self.ws.port, websocket=True),
                REST(port=self.rest.port),
            ),
            stagger=stagger,
        )

    @contextlib.asynccontextmanager
    async def racing(self, stagger: float = NEVER) -> AsyncIterator[Transport]:
        """Open the transport, and close it at the end."""
        transport = self.settings(stagger).open(self.target())
        try:
            yield transport
        finally:
            transport.close()

    def told(self, kind: StepKind) -> list[Step]:
        """The steps of a kind so far."""
        return [step for step in self.steps if step.kind is kind]

    @property
    def reached(self) -> list[str]:
        """The ways in which a connection came in."""
        servers = {"mqtt": self.mqtt, "mqtt-ws": self.ws, "rest": self.rest}
        return [name for name, server in servers.items() if server.lines]


def _mqtt_server(script: Script) -> ScriptedServer:
    """Make a server that does the handshake, unless it is a wall."""
    return ScriptedServer() if script is wall else mqtt.MqttServer(script)


def wall(line: Line) -> None:
    """Stand for a network that swallows what is sent: no handshake is ever answered."""
    raise AssertionError(line)


ANSWERS = mqtt.answering(202)
REST_ANSWERS = http.always(http.answer(202))
MUTE = steps(mqtt.takes_connect, silent)
"""Takes CONNECT, and never answers."""
REFUSES = steps(mqtt.takes_connect, bytes.fromhex("20020005"), silent)
"""Does not authorize the device."""
CLOSES = steps(mqtt.takes_connect, Line.end, Line.drain)
"""Closes after CONNECT."""


async def until_one_speaks(running: race.Race, _: race.Entrant) -> None:
    """Let the others start when the first one has its turn."""
    while running._speaker is None:
        await anyio.lowlevel.checkpoint()
