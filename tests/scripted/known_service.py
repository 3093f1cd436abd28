"""A service that answers when a test says, to the millisecond: the truth a fleet is held against.

    async with KnownService(lambda device, at: Answer(register=0.2, poll=0.1)).running(monkeypatch):
        ...

It runs in the event loop under test, in virtual time. The dialler, the handshake limiter, TLS and
both transports are the real ones; only TCP is not: a connection is a pair of sockets, which needs
no network and is as quick as the clock stands still. `tests.scale.known_service` runs it in another
process, in real time.
"""

from __future__ import annotations

import errno
import json
import math
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from tests import certificates
from tests.protocol.mqtt_bytes import CONNACK, puback, suback
from tests.scripted.http import answer
from tests.scripted.mqtt import Asked
from tests.scripted.tls import good_server
from tests.scripted_client import MqttClient, Reader
from tests.virtual_time import elapse

from aiodps.network import dial
from aiodps.network.handshake_limiter import Slot
from aiodps.network.resolve import Address

T = TypeVar("T")

HTTPS_PORT = 443
PUBLISH = 0x30
OPERATION = "4.d0a671905ea5b2c8.42d78160-4c78-479e-8be7-61d5e55dac0d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the service answers one device; times are seconds."""

    register: float = 0.0
    """From a register request to its response."""
    poll: float = 0.0
    """From a status query to its response."""
    polls: int = 1
    """Status queries until the device is assigned."""
    retry_after: int | None = 0
    """What the responses before that ask for; None for nothing."""
    error: int | None = None
    """Status of an error in response to the register request, with that `retry_after`."""
    closes: bool = False
    """Whether the service closes the connection after its response to the register request."""


Plan: TypeAlias = Callable[[int, float], Answer]
"""How the service answers the N-th device (by its registration id) at a moment of the run."""
Span: TypeAlias = tuple[float, float]
"""A part of the run: from a second on until another."""
NEVER: Span = (math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry of what the service has seen."""

    kind: str
    """"connect", "refused", "register" or "poll"."""
    at: float
    """Second of the run."""
    device: int | None = None
    """Number of the device, if the service knows it by then."""


class KnownService:
    """A service with known delays, on HTTPS and MQTT."""

    def __init__(
        self,
        plan: Plan,
        *,
        handshake: float = 0.0,
        handshakes_at_once: float = math.inf,
        silent: Span = NEVER,
        refuses: Span = NEVER,
        sleep: Callable[[float], Awaitable[None]] = elapse,
    ) -> None:
        """Set up.

        Args:
            plan: How devices are answered.
            handshake: Seconds until the service answers the beginning of a TLS handshake.
            handshakes_at_once: How many handshakes it works on at once; the others wait.
            silent: When nothing is answered at all; what is due then comes at its end.
            refuses: When TCP connections are refused.
            sleep: How time passes.
        """
        self.seen: list[Seen] = []
        """What the service has seen, oldest first."""
        self._plan = plan
        self._handshake = handshake
        self._at_once = handshakes_at_once
        self._silent = silent
        self._refuses = refuses
        self._sleep = sleep
        self._polled: dict[int, int] = {}

    def begin(self) -> None:
        """Begin to serve in the running event loop."""
        self._zero = anyio.current_time()
        self._places = anyio.CapacityLimiter(self._at_once)

    @asynccontextmanager
    async def running(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        """Serve every connection that the dialler opens until the block ends."""
        self.begin()
        async with anyio.create_task_group() as tasks:
            self._tasks: TaskGroup = tasks
            monkeypatch.setattr(dial, "_connect_one", self._connect)
            yield
            tasks.cancel_scope.cancel()

    def times(self, kind: str) -> list[float]:
        """List when the service has seen something, in seconds since the first device connected."""
        return [seen.at for seen in self.seen if seen.kind == kind]

    def count(self, kind: str, device: int) -> int:
        """Count what the service has seen of one device."""
        return sum((seen.kind, seen.device) == (kind, device) for seen in self.seen)

    async def _connect(self, address: Address, slot: Slot) -> socket.socket:
        """Take the place of a TCP connection."""
        if not self.seen:
            self._zero = anyio.current_time()

        if self._within(self._refuses):
            self._note("refused")
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

        self._note("connect")
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)

        self._tasks.start_soon(self.serve, theirs, address.sockaddr[1] == HTTPS_PORT)
        return ours

    async def serve(self, sock: socket.socket, https: bool) -> None:
        """Serve one connection, HTTPS or MQTT, to its end."""
        with sock, suppress(OSError, anyio.EndOfStream):
            await anyio.wait_readable(sock)
            async with self._places:
                await self._respond_after(self._handshake)

            with _tls().wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
                await _without_blocking(tls, tls.do_handshake)
                talk = self._talk_http if https else self._talk_mqtt
                await talk(_Stream(tls))

    async def _talk_http(self, stream: _Stream) -> None:
        reader = Reader(stream)
        while True:
            head = (await reader._until(b"\r\n\r\n")).decode()
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            await reader._exactly(int(length or 0))
            path = head.split()[1]
            device = path.split("/")[3]
            registers = "/register?" in path
            status, wait, body = await self._answer(device, registers=registers)
            waits = {} if wait is None else {"Retry_After": str(wait)}
            await stream.send(answer(status, body, **waits))
            self._close_after(device, registers=registers)

    async def _talk_mqtt(self, stream: _Stream) -> None:
        reader = MqttClient(stream)
        device = _client_id(await reader.take())
        await stream.send(CONNACK)
        _, subscribe = await reader.take()
        await stream.send(suback(subscribe[:2]))
        while True:
            first, body = await reader.take()
            if first >> 4 != PUBLISH >> 4:
                continue

            asked = Asked.read(body)
            await stream.send(puback(asked.packet_id))
            registers = "/PUT/" in asked.topic
            status, wait, content = await self._answer(device, registers=registers)
            more = "" if wait is None else f"&retry-after={wait}"
            await stream.send(asked.answer(status, content, more=more))
            self._close_after(device, registers=registers)

    async def _answer(self, name: str, *, registers: bool) -> tuple[int, int | None, bytes]:
        """Respond to one request in time: with a status, the wait that is asked for, and a body."""
        device = _number(name)
        self._note("register" if registers else "poll", device)
        planned = self._planned(device)
        await self._respond_after(planned.register if registers else planned.poll)
        if registers and planned.error is not None:
            return planned.error, planned.retry_after, _error(planned.error)

        self._polled[device] = 0 if registers else self._polled[device] + 1
        if self._polled[device] < planned.polls:
            return 202, planned.retry_after, _body("assigning")

        state = {"registrationId": name, "deviceId": name, "assignedHub": "hub.azure-devices.net"}
        return 200, None, _body("assigned", registrationState={**state, "status": "assigned"})

    def _close_after(self, name: str, *, registers: bool) -> None:
        if registers and self._planned(_number(name)).closes:
            raise ConnectionAbortedError

    def _planned(self, device: int) -> Answer:
        return self._plan(device, anyio.current_time() - self._zero)

    async def _respond_after(self, seconds: float) -> None:
        """Let time pass until a response is due, and until the service is no longer silent."""
        await self._sleep(seconds)
        if self._within(self._silent):
            await self._sleep(self._zero + self._silent[1] - anyio.current_time())

    def _within(self, span: Span) -> bool:
        return span[0] <= anyio.current_time() - self._zero < span[1]

    def _note(self, kind: str, device: int | None = None) -> None:
        self.seen.append(Seen(kind, anyio.current_time() - self._zero, device))


class _Stream:
    """The service's end of a TLS connection."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    async def receive(self) -> bytes:
        data = await _without_blocking(self._sock, lambda: self._sock.recv(65536))
        if not data:
            raise anyio.EndOfStream

        return data

    async def send(self, data: bytes, /) -> None:
        await _without_blocking(self._sock, lambda: self._sock.send(data))


async def _without_blocking(sock: ssl.SSLSocket, operation: Callable[[], T]) -> T:
    """Do something with a TLS socket, and wait for it when TLS asks for it."""
    await anyio.lowlevel.checkpoint_if_cancelled()
    while True:
        try:
            return operation()
        except ssl.SSLWantReadError:
            await anyio.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await anyio.wait_writable(sock)


def _number(name: str) -> int:
    """Read the number of a device from its registration id."""
    return int(name.rpartition("-")[2])


def _client_id(connect: tuple[int, bytes]) -> str:
    """Read the client id of a CONNECT: after name, level, flags and keep-alive."""
    _, body = connect
    size = int.from_bytes(body[10:12])
    return body[12 : 12 + size].decode()


def _body(status: str, **members: Any) -> bytes:
    return json.dumps({"operationId": OPERATION, "status": status, **members}).encode()


def _error(status: int) -> bytes:
    return json.dumps({"errorCode": status * 1000, "message": "planned"}).encode()


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificates.write(good_server(), Path(folder)))

    return context
