"""A service with one fault in one phase, over HTTPS and MQTT, that counts what it is asked.

The phases: DNS, TCP, TLS; SEND, while the client sends its first request or opens its session;
ANSWER, in place of the answer to a register request; POLL, of the first status query; FINAL, of the
one that assigns the device; CLEAN, once that is answered.
"""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from OpenSSL import SSL
from tests.protocol.mqtt_bytes import CONNACK, suback
from tests.reliability.tls_flights import FlightTls
from tests.scripted import http, mqtt, server, websocket
from tests.scripted.http import answer
from tests.scripted.tls import serving
from tests.virtual_time import JumpingLoop

DEVICE = "dev1"
OPERATION = "op"
CONNECTING = frozenset({"DNS", "TCP", "TLS"})
LINES = {"rest": http.Line, "mqtt": mqtt.Line, "mqtt-ws": websocket.Line}
GLANCE = 20
"""Milliseconds between two looks whether the client has given up, and a jump of its clock."""

Write: TypeAlias = Callable[..., bytes]
"""Writes an answer to the request at hand: status, body, and `wait` for Retry-After."""


@dataclass(frozen=True)
class Turn:
    """What a fault acts on: a connection, and what the service would send next."""

    service: FaultyService
    line: Any
    usual: bytes
    """What it would send; nothing while a request is still to be read."""
    write: Write
    body: dict[str, Any] = field(default_factory=dict)
    """The body of that."""
    attempt: int = field(init=False)
    """How many failures the client had heard of when the turn began."""

    def __post_init__(self) -> None:
        """Note when it began."""
        object.__setattr__(self, "attempt", self.service.attempt)

    def jump(self, seconds: float) -> None:
        """Put the client's clock forward, unless it has given up this connection meanwhile.

        Through a proxy, that is heard of late.
        """
        self.service.call(lambda: self.service.jump_in(self.attempt, seconds))

    def over(self) -> None:
        """End the connection's script, once the client has closed it."""
        self.line.drain()
        raise ConnectionAbortedError

    def hold(self, jump: float = 35.0) -> None:
        """Say nothing until the client has closed the connection; its clock is put forward."""
        poll = select.poll()
        poll.register(self.line.sock, select.POLLRDHUP | select.POLLHUP)
        while not poll.poll(GLANCE):
            self.jump(jump)

        self.over()


async def no_wait(_: FaultyService) -> None:
    """Connect at once."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One way in which a fault strikes."""

    name: str = ""
    over: Callable[[Turn], object] = lambda turn: turn.line.send(turn.usual)
    """Acts on a connection in place of the service; True if it has answered the request in full."""
    level: str | None = None
    """DNS, TCP or TLS if it strikes there only; in a later phase, an answer is lost before."""
    context: Callable[[], SSL.Context] | None = None
    """What the server shows in TLS instead."""
    look_up: Callable[[FaultyService], tuple[str, ...] | None] = lambda _: None
    """Comes before a look-up, in its thread; what it finds, or None to look up."""
    connect: Callable[[FaultyService], Awaitable[None]] = no_wait
    """Comes before TCP connects, in the event loop."""
    packet: str = "connect"
    """Which packet of an MQTT session it answers in SEND: "connect" or "subscribe"."""
    at_end: Callable[[FaultyService], object] = lambda _: None
    """Called in CLEAN, in the event loop, when the device is assigned."""


class FaultyService(server.ScriptedServer):
    """A service with one fault."""

    def __init__(
        self, loop: JumpingLoop, strike: Strike, *, transport: str, phase: str, times: float
    ) -> None:
        self.registers = 0
        """Register requests that were read."""
        self.lost = 0
        """Those of them that had no answer, or a bad one."""
        self.ids: set[str] = set()
        """Registration ids that were asked for."""
        self.left = times
        """How often the fault is still to strike."""
        self.cancel: Callable[[], object] = lambda: None
        """Cancels the client."""
        self.attempt = 0
        """Failures that the client has heard of so far."""
        self.retried = threading.Event()
        """Set when the client has heard of a failure, and no more are to come."""
        self.stale = b""
        """An answer that the client has not waited for."""
        self.wall_clock = 0.0
        """By how many seconds the wall clock of the client's machine is wrong."""
        self.transport = transport  # type: ignore[misc]  # one each
        self.speaks = transport.removesuffix("-ws")
        self._loop = loop
        self._strike = strike
        self._phase = phase
        self._at = strike.level if strike.level and phase in CONNECTING else phase
        self._stage = "ANSWER"
        serve = self._serve_http if transport == "rest" else self._serve_mqtt
        self.line = LINES[transport]  # type: ignore[misc]  # idem
        super().__init__(partial(self._secured, serve))

    def jump(self, seconds: float) -> None:
        """Put the client's clock forward, from any thread."""
        self.call(partial(self._loop.jump, seconds))

    def jump_in(self, attempt: int, seconds: float) -> None:
        """Put the client's clock forward, in its event loop, if it is still at this attempt."""
        if attempt == self.attempt:
            self._loop.jump(seconds)

    def call(self, work: Callable[[], object]) -> None:
        """Call something in the client's event loop."""
        self._loop.call_soon_threadsafe(work)

    def strikes(self, phase: str) -> Strike | None:
        """Return the fault if it strikes here and now."""
        if self._at != phase or self.left <= 0:
            return None

        self.left -= 1
        return self._strike

    def _secured(self, serve: Callable[[Any], None], line: Any) -> None:
        """Do the TLS handshake, then serve."""
        struck = self.strikes("TLS")
        context = struck.context() if struck and struck.context else _usual_context()
        tls = FlightTls(context, line.sock)
        flight = tls.hello()
        act = Strike().over if struck is None else struck.over
        act(Turn(self, line, flight, answer))
        tls.finish()
        line.tls, line.secured = tls, True
        if isinstance(line, websocket.Line):
            line.upgrade()

        serve(line)

    def _serve_http(self, line: Any) -> None:
        while True:
            if struck := self.strikes("SEND"):
                line.read_some(1)
                if struck.over(Turn(self, line, b"", _http_answer)):
                    line.take()
                    continue

            head = line.take()[0].decode()
            self.ids.add(head.split("/")[3].partition("?")[0])
            self._answer(line, _http_answer, registers="/register?" in head)

    def _serve_mqtt(self, line: Any) -> None:
        self.ids.add(_client_id(line.expect(0x10)))
        self._open(line, CONNACK, "connect")
        self._open(line, suback(line.expect(0x82)[:2]), "subscribe")
        while True:
            asked = line.request()
            self._answer(line, partial(_mqtt_answer, asked), registers="/PUT/" in asked.topic)

    def _open(self, line: Any, usual: bytes, packet: str) -> None:
        """Answer a packet that opens a session."""
        struck = self.strikes("SEND") if packet == self._strike.packet else None
        act = Strike().over if struck is None else struck.over
        act(Turn(self, line, usual, answer))

    def _answer(self, line: Any, write: Write, *, registers: bool) -> None:
        """Answer a request, or let the fault do it."""
        self.registers += registers
        phase = "ANSWER" if registers else self._stage
        body = _body(assigned=phase == "FINAL")
        usual = write(200 if phase == "FINAL" else 202, json.dumps(body).encode())
        if self._at == phase and self._strike.level:
            self._at = self._strike.level
            self.lost += registers
            line.end()
        elif struck := self.strikes(phase):
            self.lost += registers
            if registers:
                self._stage = "POLL"

            struck.over(Turn(self, line, usual, write, body))
        else:
            line.send(self.stale, usual)
            self._stage = "POLL" if registers else "FINAL"
            if phase == "FINAL" and (struck := self.strikes("CLEAN")):
                struck.over(Turn(self, line, usual, write, body))


def _usual_context() -> SSL.Context:
    """Make what the service shows; its secrets are kept for alerts of a test's own."""
    context = serving()
    context.set_keylog_callback(FlightTls.keep_secret)
    return context


def _body(*, assigned: bool) -> dict[str, Any]:
    """Write what the service says of its operation."""
    if not assigned:
        return {"operationId": OPERATION, "status": "assigning"}

    state = {"registrationId": DEVICE, "deviceId": DEVICE, "assignedHub": "h.azure-devices.net"}
    return {
        "operationId": OPERATION,
        "status": "assigned",
        "registrationState": {**state, "status": "assigned"},
    }


def _http_answer(status: int, body: bytes = b"{}", *, wait: int | None = None) -> bytes:
    waits = {} if wait is None else {"Retry_After": str(wait)}
    places = {"Location": "https://stranger.example/"} if status // 100 == 3 else {}
    return answer(status, body, **waits, **places)


def _mqtt_answer(
    asked: mqtt.Asked, status: int, body: bytes = b"{}", *, wait: int | None = None
) -> bytes:
    return asked.answer(status, body, more="" if wait is None else f"&retry-after={wait}")


def _client_id(connect: bytes) -> str:
    """Read the client id of a CONNECT: after name, level, flags and keep-alive."""
    size = int.from_bytes(connect[10:12])
    return connect[12 : 12 + size].decode()
