"""Benchmarks are of a quiet machine: what else it does is in every figure."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

MOST_LOAD: Final = 1.5
"""One-minute load above which nothing is measured."""
_FADES: Final = 300.0
"""Seconds in which the load that a benchmark itself has made is gone."""


def wait_until_quiet(*, anyway: bool) -> float:
    """Wait until the machine is quiet, and return its one-minute load.

    Raises:
        SystemExit: It does not become quiet, and it was not said to measure anyway.
    """
    until = time.monotonic() + _FADES
    while (load := os.getloadavg()[0]) > MOST_LOAD and not anyway:
        if time.monotonic() > until:
            raise SystemExit(f"the load is {load:.1f}, above {MOST_LOAD}: wait, or give --anyway")

        print(f"waiting: the load is {load:.1f}", file=sys.stderr)
        time.sleep(10)

    return load
