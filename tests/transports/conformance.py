"""The contract of a transport, as a suite that every transport runs.

A transport takes part by a `Kit`: how to open it, and how a server speaks its language. To add
one, write a kit and put it into `KITS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from tests.protocol.mqtt_bytes import CONNACK
from tests.scripted import http, mqtt, proxies, websocket
from tests.scripted.server import CLOSED, Line, Script, silent, steps

from aiodps.protocol.limits import MAX_BODY
from aiodps.transports.auto import Auto
from aiodps.transports.base import TransportFactory
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST


@dataclass(frozen=True)
class Kit:
    """A transport, and servers that speak its language."""

    name: str
    server: type[http.HttpServer]
    factory: Callable[[int], TransportFactory]
    backends: tuple[str, ...]
    answering: Callable[[int, bytes], Script]
    """Answers every request with a status and a body."""
    closing_before_answer: Script
    """Closes after the first request."""
    closing_after_answer: Script
    """Closes after the first answer."""
    silent: Script
    """Takes everything and never answers."""
    oversized: Script
    """Answers with more than may be."""
    proxy: proxies.Kind | None = None
    """The proxy through which it connects; None for none."""

    def __str__(self) -> str:
        """Name the kit in test ids."""
        return self.name if self.proxy is None else f"{self.name}-{self.proxy}"


def _answering(status: int, body: bytes) -> Script:
    return http.always(http.answer(status, body, Location="https://evil.test/x"))


def _flood(line: Line) -> None:
    """Send more than anybody may take, until the client closes the connection."""
    try:
        for _ in range(1024):
            line.send(b"x" * MAX_BODY)
    except CLOSED:
        return

    raise AssertionError("the client took 256 MB")


EACH_SESSION = pytest.mark.parametrize(
    ("session", "anyio_backend"),
    [("aiomqtt", "asyncio"), ("native", "asyncio"), ("native", "trio")],
    indirect=True,
)
"""Marks tests of MQTT that hold for each session; they use the fixture `session`."""
NATIVE = partial(MQTT, session="native")
NOBODY = 1
"""A port at which nobody listens."""

KITS = [
    Kit(
        name="rest",
        server=http.HttpServer,
        factory=lambda port: REST(port=port),
        backends=("asyncio", "trio"),
        answering=_answering,
        closing_before_answer=http.once(),
        closing_after_answer=http.once(http.answer(202)),
        silent=silent,
        oversized=steps(http.Line.take, http.answer(200, b"", Content_Length="99999999"), _flood),
    ),
    *(
        Kit(
            name=name,
            server=server,
            factory=lambda port, make=factory: make(port=port),  # type: ignore[misc]  # bound now
            backends=backends,
            answering=mqtt.answering,
            closing_before_answer=steps(mqtt.Line.accept, mqtt.Line.request),
            closing_after_answer=steps(
                mqtt.Line.accept, lambda line: line.send(line.request().answer(202))
            ),
            silent=steps(mqtt.takes_connect, CONNACK, silent),
            oversized=steps(mqtt.Line.accept, mqtt.Line.request, b"\x32\xff\xff\xff\x7f", _flood),
        )
        for name, server, backends, factory in (
            ("mqtt", mqtt.MqttServer, ("asyncio",), MQTT),
            ("mqtt-ws", websocket.WebSocketServer, ("asyncio",), partial(MQTT, websocket=True)),
            ("native", mqtt.MqttServer, ("asyncio", "trio"), NATIVE),
            ("native-ws", websocket.WebSocketServer, ("trio",), partial(NATIVE, websocket=True)),
        )
    ),
]

KITS.append(
    dataclasses.replace(
        KITS[1],
        name="auto",
        factory=lambda port: Auto(transports=(MQTT(port=port), REST(port=NOBODY))),
        backends=("asyncio", "trio"),
    )
)
CONNECT, SOCKS = (kind for kind in proxies.KINDS if kind.authenticates)
KITS += [
    dataclasses.replace(KITS[0], proxy=CONNECT),
    dataclasses.replace(KITS[1], proxy=SOCKS),
    dataclasses.replace(KITS[3], proxy=SOCKS, backends=("trio",)),
]

CASES = [(kit, backend) for kit in KITS for backend in kit.backends]
