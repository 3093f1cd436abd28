"""The worker process by itself; what it does for others is tested with its parent."""

from __future__ import annotations

import socket
import subprocess
import sys

import anyio
import pytest
from aiodps.emulator.workers.crew import COMMAND
from tests.emulated import PATIENCE, running

from aiodps.emulator.request_log import Exchange

pytestmark = pytest.mark.anyio


def test_without_a_parent_it_ends_at_once() -> None:
    """Also if the parent died before it said a word."""
    ours, theirs = socket.socketpair()
    stdin = theirs.fileno()
    with theirs, subprocess.Popen(COMMAND, stdin=stdin, stderr=subprocess.PIPE) as process:
        theirs.close()
        ours.close()
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")
async def test_handshakes_that_fail_are_in_the_parents_journal() -> None:
    """As they are without workers."""
    noted: list[Exchange] = []
    heard = anyio.Event()

    def note(exchange: Exchange) -> None:
        noted.append(exchange)
        heard.set()

    async with (
        running(workers=1, on_exchange=note) as dps,
        await anyio.connect_tcp("127.0.0.1", dps.mqtt_port) as plain,
    ):
        await plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await heard.wait()

    assert (noted[0].transport, noted[0].what, noted[0].status_code) == (
        "mqtt",
        "TLS handshake",
        0,
    )
    assert "http request" in (noted[0].message or "")
