"""Devices in a process of their own, which may be in another network namespace.

Each line on stdin is a JSON list of devices, as keyword arguments of `provision`; they provision
at once, and a line on stdout says what each has come to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiodps

_RETRY = aiodps.RetryPolicy(max_failures=1, min_poll_interval=0.2, poll_interval=0.2)


async def provisioned(settings: dict[str, Any]) -> dict[str, Any]:
    """Provision a device; return what it has come to."""
    began = time.monotonic()
    result: dict[str, Any] = {"winner": None, "error": None, "phase": None}
    try:
        assignment = await aiodps.provision(**settings, retry=_RETRY)
        result["winner"] = assignment.transport
    except aiodps.ProvisioningError as error:
        result |= {"error": type(error).__name__, "phase": error.phase, "message": str(error)}

    return result | {"seconds": time.monotonic() - began}


async def together(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Provision devices at once."""
    return await asyncio.gather(*map(provisioned, devices))


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(together(json.loads(line)))) + "\n")
        sys.stdout.flush()
