"""Two TPMs in software for tests: their RSA keys are made once a process, when a test needs them."""

from __future__ import annotations

import copy
import functools
from typing import Literal

from aiodps.tpm.software import SoftwareTpm


def software_tpm(which: Literal["own", "other"] = "own") -> SoftwareTpm:
    """Return one of them, as it was before its first challenge."""
    return copy.copy(_made(which))


@functools.cache
def _made(_: str) -> SoftwareTpm:
    return SoftwareTpm()
