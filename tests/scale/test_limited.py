"""A load generator that is kept from its work says so, and why: real processes, stopped for real.

`tests/fleet/report/test_limits.py` has the rules, in virtual time; and that quiet runs raise no
alarm.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scale.known_service import Address, known_service
from tests.scale.limited_run import generator, limited_run, wait_for_the_last_device

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def service() -> Iterator[Address]:
    """Run a service that is quick."""
    with known_service({"register": 0.05, "poll": 0.05}) as address:
        yield address


@contextlib.contextmanager
def processor_burners() -> Iterator[None]:
    """Run twice as many processes as there are cores, none of which ever waits."""
    command = [sys.executable, "-c", "while True: pass"]
    with contextlib.ExitStack() as burning:
        for _ in range(2 * (os.cpu_count() or 1)):
            process = burning.enter_context(subprocess.Popen(command))
            burning.callback(process.kill)

        yield


def stop_and_continue(pid: int, *, stopped: float, running: float, times: int) -> None:
    """Stop a process and let it go on, as a CPU quota does."""
    for _ in range(times):
        time.sleep(running)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(stopped)
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("stopped", "running", "times"),
    [(0.06, 0.04, 20), (0.09, 0.03, 17), (0.6, 0.5, 1)],
    ids=["60 of each 100 ms", "90 of each 120 ms", "once"],
)
def test_stopped_and_continued(
    stopped: float, running: float, times: int, service: Address, tmp_path: Path
) -> None:
    """Devices wait for the event loop, however short each stop is."""
    with limited_run(service, tmp_path, "open", {"rate": 20}, count=50) as process:
        stop_and_continue(process.pid, stopped=stopped, running=running, times=times)
        facts = generator(process)

    assert facts["limited"], facts
    assert any("event loop" in reason for reason in facts["why"])


def test_stopped_with_closed_arrivals(service: Address, tmp_path: Path) -> None:
    """No device starts late by construction; those in flight are late all the same."""
    with limited_run(service, tmp_path, "closed", {"concurrency": 10}, count=150) as process:
        stop_and_continue(process.pid, stopped=1.0, running=0.5, times=1)
        facts = generator(process)

    assert facts["limited"], facts
    assert any("event loop" in reason for reason in facts["why"])


def test_a_slow_disk(service: Address, tmp_path: Path) -> None:
    """Each durable write takes 100 ms longer, and each device waits for two."""
    with limited_run(
        service, tmp_path, "open", {"rate": 20}, count=30, journal="durable", slow_disk=0.1
    ) as process:
        facts = generator(process)

    assert facts["limited"], facts
    assert any("journal" in reason for reason in facts["why"])


def test_few_descriptors(tmp_path: Path) -> None:
    """Ninety devices in flight, and a hundred descriptors for everything."""
    with (
        known_service({"register": 3.0}) as slow,
        limited_run(slow, tmp_path, "open", {"rate": 60}, count=90, descriptors=105) as process,
    ):
        facts = generator(process)

    assert facts["limited"], facts
    assert any("file descriptors" in reason for reason in facts["why"])


def test_burned_processors(service: Address, tmp_path: Path) -> None:
    """Others take every core: the event loop is late, or the kernel says who was.

    The generator is nicer than they are: a light one at the same priority gets a core whenever
    it wants one, and is not limited at all. At 10 it gets a twentieth, and wants a fifth or more.
    """
    arrivals = {"rate": 80}
    with limited_run(service, tmp_path, "open", arrivals, count=30, nice=10) as process:
        with processor_burners():
            wait_for_the_last_device(process)

        facts = generator(process)

    assert facts["limited"], facts
    assert any("core" in reason or "event loop" in reason for reason in facts["why"])


def test_the_handshake_limiter(tmp_path: Path) -> None:
    """A burst against handshakes of a second: 128 begin at once, and the others say what for."""
    with (
        known_service({}, "--handshake", "1") as slow,
        limited_run(slow, tmp_path, "burst", {}, count=300) as process,
    ):
        facts = generator(process)

    assert facts["limited"], facts
    assert any("handshake limiter" in reason for reason in facts["why"])
