"""One client, once, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.observe import Observation

STALL_TIMEOUT: Final = 120.0
"""Seconds beyond those of a round after which a client counts as hanging."""


def measure(
    command: Sequence[str],
    env: Mapping[str, str],
    server_pid: int,
    *,
    seconds: float,
    observed: bool,
) -> dict[str, Any]:
    """Run a client; return its figures, or the error with which it ended.

    Args:
        command: What says `ready`, goes on when it is told to, and prints its figures.
        env: Its environment variables.
        server_pid: What counts its connections.
        seconds: Of a round.
        observed: Whether memory, threads and descriptors are its own.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        assert process.stdout is not None
        stalled = threading.Timer(STALL_TIMEOUT + 4 * seconds, process.kill)
        stalled.start()
        try:
            ready = process.stdout.readline()
            observation = Observation(process.pid, server_pid) if ready else None
            if observation is not None:
                with observation.running():
                    out, error = process.communicate("go\n")
            else:
                out, error = process.communicate()
        finally:
            stalled.cancel()

    if process.returncode or not out:
        killed = f"was not done after {stalled.interval:g} s"
        return {"error": killed if process.returncode < 0 else last_line(error)}

    figures: dict[str, Any] = json.loads(out.splitlines()[-1])
    return figures | (observation.figures(own=observed) if observation else {})


def last_line(error: str) -> str:
    """Return what an error says last: what stands above is of the machine, and not published."""
    return (error.strip().splitlines() or ["ended without a word"])[-1].strip()[:120]
