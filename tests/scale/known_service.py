"""A service with known delays in a process of its own, over real sockets and in real time.

    python -m tests.scale.known_service '{"register": 0.2}' --handshake 1

It prints where it is, as JSON, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import anyio
from anyio import to_thread
from tests.certificates import root
from tests.scripted.known_service import Answer, KnownService

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is."""

    https_port: int
    mqtt_port: int
    ca: str
    """In PEM."""

    @property
    def ports(self) -> dict[str, int]:
        """The port of each transport."""
        return {"rest": self.https_port, "mqtt": self.mqtt_port}


@contextlib.contextmanager
def known_service(answer: dict[str, float], *options: str) -> Iterator[Address]:
    """Run a service that answers every device like this; the options are those of the command."""
    command = [sys.executable, "-m", __name__, json.dumps(answer), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Address(**json.loads(process.stdout.readline()))
        process.stdin.close()


async def _run(options: argparse.Namespace) -> None:
    answer = Answer(**json.loads(options.answer))
    service = KnownService(
        lambda *_: answer,
        handshake=options.handshake,
        handshakes_at_once=options.at_once,
        sleep=anyio.sleep,
    )
    service.begin()
    async with anyio.create_task_group() as tasks:

        async def accept(listener: socket.socket, https: bool) -> None:
            while True:
                await anyio.wait_readable(listener)
                with contextlib.suppress(BlockingIOError):
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    tasks.start_soon(service.serve, sock, https)

        ports = []
        for https in (True, False):
            listener = socket.create_server((HOST, 0), backlog=4096)
            listener.setblocking(False)
            ports.append(listener.getsockname()[1])
            tasks.start_soon(accept, listener, https)

        ca = root().certificate_pem.decode()
        facts = {"https_port": ports[0], "mqtt_port": ports[1], "ca": ca}
        print(json.dumps(facts), flush=True)  # noqa: T201 (read by who started it)
        await to_thread.run_sync(sys.stdin.read)
        os._exit(0)  # connections that are open are of no interest to anybody


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("answer", help="members of `Answer` as JSON")
    parser.add_argument("--handshake", type=float, default=0.0, help="seconds for each")
    parser.add_argument("--at-once", type=int, default=math.inf, help="handshakes")
    return parser.parse_args()


if __name__ == "__main__":
    anyio.run(functools.partial(_run, _options()))
