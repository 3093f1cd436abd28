"""A shard's process that a signal strikes when its first device enters a phase."""

from __future__ import annotations

import itertools
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiodps.fleet.run.control_files import ControlFiles
from aiodps.models import Phase
from aiodps.observe import Reporter, StepKind

ENTERED: Final = {
    "TCP": (StepKind.RESOLVED, Phase.DNS),
    "TLS": (StepKind.CONNECTED, Phase.TCP),
    "SEND": (StepKind.REGISTERING, Phase.REGISTER),
    "ANSWER": (StepKind.SENT, Phase.REGISTER),
    "POLL": (StepKind.SENT, Phase.POLL),
    "FINAL": (StepKind.RECEIVED, Phase.POLL),
    "CLEAN": (StepKind.ASSIGNED, Phase.POLL),
}
"""The step with which a device enters a phase; the look-up, DNS, is a call."""


def arm(phase: str, number: int, fleet: int, folder: Path) -> None:
    """Prepare this process, in which a shard is about to run.

    Args:
        phase: Of the fault matrix.
        number: SIGKILL for this process, or SIGTERM for the fleet's.
        fleet: Process id of the fleet.
        folder: Of the run.
    """
    turns = itertools.count()

    def strike() -> None:
        if next(turns):
            return

        if number == signal.SIGKILL:
            os.kill(os.getpid(), number)

        os.kill(fleet, number)
        while ControlFiles(folder).order() is None:
            pass  # the device stays where it is until the fleet has heard the signal

    if phase == "DNS":
        socket.getaddrinfo = _before(strike, socket.getaddrinfo)
        return

    report = Reporter.__call__

    def reported(self: Reporter, kind: StepKind, at: Phase, **details: Any) -> None:
        report(self, kind, at, **details)
        if (kind, at) == ENTERED[phase]:
            strike()

    # A fleet's observer does not ask for what goes over the wire, and so is not told of it.
    Reporter.hears_wire = True  # type: ignore[assignment, method-assign]  # for each of them
    Reporter.__call__ = reported  # type: ignore[assignment, method-assign]  # the same in effect


def _before(strike: Callable[[], None], call: Callable[..., Any]) -> Callable[..., Any]:
    def struck(*args: Any, **kwargs: Any) -> Any:
        strike()
        return call(*args, **kwargs)

    return struck
