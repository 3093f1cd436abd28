"""curl, as Microsoft's articles use it: one call that registers, and one that asks for the result.

Two processes and two handshakes for each device. What counts is what curl itself spends.
"""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.baseline import Server

_VERSION = "api-version=2021-10-01"


@functools.cache
def _trusted(ca: str) -> str:
    """Write the CA into a file once; it is gone when this process is."""
    file = tempfile.NamedTemporaryFile(suffix=".pem", delete=False)  # noqa: SIM115 (for curl)
    with file:
        file.write(ca.encode())

    return file.name


async def rest(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision with two calls."""
    who = (*("--cacert", _trusted(server.ca)), *("--cert", str(chain)), *("--key", str(key)))
    base = f"https://{server.host}:{server.https_port}/{server.id_scope}/registrations"
    url = f"{base}/{registration_id}"
    body = json.dumps({"registrationId": registration_id})
    put = ("-X", "PUT", "-H", "Content-Type: application/json", "-d", body)
    answer = await _curl(*who, *put, f"{url}/register?{_VERSION}")
    while answer["status"] == "assigning":
        answer = await _curl(*who, f"{url}/operations/{answer['operationId']}?{_VERSION}")

    return str(answer["registrationState"]["assignedHub"])


async def _curl(*words: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", *words, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out)  # type: ignore[no-any-return]  # JSON
