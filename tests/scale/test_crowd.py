"""Crowds against an emulator in another process: bursts, and thousands that say nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from benchmarks.baseline import Server
from benchmarks.conversations import CONVERSATIONS
from benchmarks.emulator import Files, burst, cost, idle
from benchmarks.server import emulator, issue

from aiodps.pki import Authority

pytestmark = pytest.mark.scale
BURST = 5_000
SILENT = 10_000
MOST_MEMORY_KIB = 60
MOST_MEMORY_SILENT_KIB = 16
"""For a peer that has sent nothing: a socket and a task, no TLS."""
HELLO = b"\x16\x03\x01\x02\x00\x01"
"""The beginning of a handshake that never goes on."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Authority]:
    """Make the devices."""
    folder = tmp_path_factory.mktemp("devices")
    root = Authority.root("scale root")
    issue(root, folder, BURST)
    return Files(str(folder / "ca.pem"), str(folder)), root


@pytest.fixture
def server(files: tuple[Files, Authority], tmp_path: Path) -> Iterator[Server]:
    """Run an emulator that has served a few."""
    paths, root = files
    with emulator(tmp_path, root) as running:
        Path(paths.ca).write_text(running.ca, encoding="utf-8")
        cost(running, paths, "rest", 100)
        yield running


@pytest.mark.parametrize("protocol", sorted(CONVERSATIONS))
def test_an_idle_connection_costs_little(
    protocol: str, server: Server, files: tuple[Files, Authority]
) -> None:
    """TLS and all, after it has registered."""
    facts = idle(server, files[0], protocol, 2_000)

    assert (facts["answered"], facts["failures"]) == (2_000, 0)
    assert facts["kib_each"] < MOST_MEMORY_KIB


def test_a_burst_is_answered_and_nothing_overflows(
    server: Server, files: tuple[Files, Authority]
) -> None:
    """Every device is assigned, though all come at once."""
    facts = burst(server, files[0], BURST)

    assert (facts["answered"], facts["first_failure"]) == (BURST, None)
    assert (facts["ListenOverflows"], facts["ListenDrops"]) == (0, 0)


@pytest.mark.parametrize("said", [b"", HELLO], ids=["nothing", "half a hello"])
def test_ten_thousand_that_say_nothing_disturb_nobody(
    said: bytes, server: Server, files: tuple[Files, Authority]
) -> None:
    """They cost little, devices are served among them as ever, and all is given back."""
    process = psutil.Process(server.pid)
    memory, descriptors = process.memory_info().rss, process.num_fds()
    with _silent(server, said):
        assert cost(server, files[0], "rest", 50)["answered"] == 50
        facts = cost(server, files[0], "rest", 50)
        grown = (process.memory_info().rss - memory) / 1024 / SILENT
        assert (facts["answered"], facts["slowest"] < 2.0) == (50, True)
        assert process.num_fds() > descriptors + SILENT - 100

    assert grown < (MOST_MEMORY_KIB if said else MOST_MEMORY_SILENT_KIB)
    cost(server, files[0], "mqtt", 50)
    assert process.num_fds() < descriptors + 100


@contextmanager
def _silent(server: Server, said: bytes) -> Iterator[None]:
    with ExitStack() as sockets:
        for _ in range(SILENT):
            sock = socket.create_connection((server.host, server.https_port))
            sockets.enter_context(sock)
            sock.send(said)

        yield
