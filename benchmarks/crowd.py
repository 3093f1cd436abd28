"""A crowd of devices that costs little: bare sockets, and bytes by hand.

    python -m benchmarks.crowd '{"port": 8443, ...}'

Runs in a process of its own, so that the emulator's costs are the emulator's. Prints JSON when
all have been answered; with `hold`, it then keeps the connections until its input ends.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import to_thread

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What to do."""

    host: str
    port: int
    ca: str
    """File with the CA of the emulator."""
    devices: str
    """Folder with the devices' certificates and keys, as `server.issue` writes them."""
    messages: list[str]
    """What each device sends, one after the other, once the last one is answered; `{device}`
    stands for its registration id, `{operation}` for the operation id of the last answer."""
    ends: list[str]
    """What the answer to each message contains when it is complete."""
    count: int = 500
    at_once: int = 50
    """Connections at the same time; as many as `count` for one burst."""
    hold: bool = False
    """Keep the connections open."""


class Device:
    """One connection."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self._name = f"dev-{number:05}"
        path = f"{crowd.devices}/{self._name}"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(crowd.ca)
        self._context.load_cert_chain(f"{path}_chain.pem", f"{path}_key.pem")
        self._sock: socket.socket = socket.socket()

    async def run(self) -> None:
        """Connect, shake hands, send and read."""
        self._sock.setblocking(False)
        try:
            self._sock.connect((self._crowd.host, self._crowd.port))
        except BlockingIOError:
            await anyio.wait_writable(self._sock)

        for _ in self.talk():
            await anyio.wait_readable(self._sock)

    def steps(self) -> Iterator[None]:
        """Do the same without an event loop: each step goes as far as there are answers."""
        self._sock.connect((self._crowd.host, self._crowd.port))
        self._sock.setblocking(False)
        yield from self.talk()

    def talk(self) -> Iterator[None]:
        """Shake hands, send and read; yield whenever the socket must become readable."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = self._context.wrap_socket(
            self._sock, server_hostname="localhost", do_handshake_on_connect=False
        )
        self._sock = tls
        yield from _do(tls.do_handshake)
        operation = b""
        for message, end in zip(self._crowd.messages, self._crowd.ends, strict=True):
            said = message.replace("{device}", self._name).encode("latin-1")
            tls.send(said.replace(b"{operation}", operation))
            answer = yield from _answer(tls, end.encode("latin-1"))
            operation = answer.partition(b'"operationId":"')[2].partition(b'"')[0] or operation

    def close(self) -> None:
        """Leave."""
        self._sock.close()


def _answer(tls: ssl.SSLSocket, end: bytes) -> Generator[None, None, bytes]:
    answer = b""
    while end not in answer:
        data = yield from _do(lambda: tls.recv(16384))
        if not data:
            raise ConnectionError(f"closed after {answer!r}")

        answer += data

    return answer


def _do(operation: Callable[[], T]) -> Generator[None, None, T]:
    while True:
        try:
            return operation()
        except ssl.SSLWantReadError:
            pass

        yield


async def run(crowd: Crowd) -> None:
    """Let them come; print how it went."""
    devices = [Device(crowd, number) for number in range(crowd.count)]
    times: list[float] = []
    failures: list[str] = []
    limiter = anyio.CapacityLimiter(crowd.at_once)

    async def one(device: Device) -> None:
        async with limiter:
            began = time.perf_counter()
            try:
                await device.run()
                times.append(time.perf_counter() - began)
            except (OSError, ValueError) as exc:
                failures.append(repr(exc))

            if not crowd.hold:
                device.close()

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for device in devices:
            tasks.start_soon(one, device)

    facts = {
        "answered": len(times),
        "failures": len(failures),
        "first_failure": failures[0] if failures else None,
        "seconds": time.perf_counter() - began,
        "slowest": max(times, default=0.0),
    }
    print(json.dumps(facts), flush=True)
    if crowd.hold:
        await to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(run, Crowd(**json.loads(sys.argv[1])))
