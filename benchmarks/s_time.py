"""The floor in C: `openssl s_time`, which does nothing but handshakes, one after the other.

    python -m benchmarks.s_time NAME SERVER FOLDER AT_ONCE SECONDS DEVICES

Each is a new one with the certificate of one device, whose key is read once. It speaks with
`benchmarks/register.py` as `one_client.py` does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.baseline import Server
from benchmarks.spent import Spent


def handshakes(host: str, port: int, *, ca: str, device: str, seconds: float) -> int:
    """Shake hands for so many seconds, rounded; return how often.

    Args:
        host: Address of the server.
        port: Its port.
        ca: File with the CA of the server.
        device: The beginning of the names of a device's files.
        seconds: At least one.
    """
    done = subprocess.run(
        [
            *("openssl", "s_time", "-connect", f"{host}:{port}", "-new"),
            *("-time", str(max(1, round(seconds)))),
            *("-cert", f"{device}_chain.pem", "-key", f"{device}_key.pem"),
            *("-CAfile", ca),
        ],
        check=False,  # it ends with 1 when the time is over
        capture_output=True,
        text=True,
    )
    connections = re.search(r"^(\d+) connections in", done.stdout, re.MULTILINE)
    if connections is None:
        raise SystemExit(f"openssl s_time: {done.stderr[-300:]}")

    return int(connections[1])


def main() -> None:
    """Measure once."""
    _, server_json, folder, _, seconds, _ = sys.argv[1:]
    server = Server(**json.loads(server_json))
    device = str(min(Path(folder).glob("*_chain.pem"))).removesuffix("_chain.pem")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
        ca.write(server.ca)
        ca.flush()
        print("ready", flush=True)
        sys.stdin.readline()
        where = (server.host, server.https_port)
        before = Spent.so_far(server.pid, children=True)
        count = handshakes(*where, ca=ca.name, device=device, seconds=float(seconds))
        after = Spent.so_far(server.pid, children=True)

    print(json.dumps(after.since(before, devices=count)))


if __name__ == "__main__":
    main()
