"""Side by side: what a device costs, from register to assigned, with aiodps and without.

    python -m benchmarks.register                      # to the terminal
    python -m benchmarks.register --out results/x.json

One server process; each client in a process of its own; rounds interleaved, so that what else the
machine does hits all of them. Reported are medians, and the median of the ratios to the baseline
within each round: absolute milliseconds drift from day to day, ratios hardly.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.baseline import Server

from aiodps.pki import Authority

CLIENTS = [
    "baseline:rest",
    "ours:rest",
    "peers:stock_httpx",
    "baseline:mqtt",
    "ours:mqtt",
    "peers:stock_aiomqtt",
]
BASE = "baseline:rest"


@contextmanager
def emulator(folder: Path, root: Authority) -> Iterator[Server]:
    """Run the emulator in a process of its own; it answers at once and asks for no wait."""
    ca, ready, enrollments = folder / "server-ca.pem", folder / "ready", folder / "enrollments"
    verified = folder / "root.pem"
    verified.write_bytes(root.certificate_pem)
    group = {
        "enrollmentGroupId": "bench",
        "attestation": {
            "type": "x509",
            "x509": {
                "signingCertificates": {"primary": {"certificate": root.certificate_pem.decode()}}
            },
        },
    }
    enrollments.write_text(json.dumps([group]))
    command = [
        *(sys.executable, "-m", "aiodps", "emulator", "--quiet"),
        *("--https-port", "0", "--mqtt-port", "0", "--retry-after", "0", "--assign-after", "0"),
        *("--enrollments", str(enrollments), "--verified-ca", str(verified)),
        *("--ca-out", str(ca), "--ready-file", str(ready)),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not ready.exists():
                time.sleep(0.05)
                if process.poll() is not None:
                    raise SystemExit("the emulator did not start")

            facts = json.loads(ready.read_text())
            yield Server(
                facts["host"],
                facts["https_port"],
                facts["mqtt_port"],
                facts["id_scope"],
                ca.read_text(),
            )
        finally:
            process.send_signal(signal.SIGTERM)


def issue(root: Authority, folder: Path, devices: int) -> None:
    """Write chain and key of each device."""
    for index in range(devices):
        device = root.device(f"dev-{index:05}")
        (folder / f"dev-{index:05}_chain.pem").write_bytes(device.chain_pem)
        key = folder / f"dev-{index:05}_key.pem"
        key.touch(mode=0o600)
        key.write_bytes(device.private_key_pem)


def measure(client: str, server: Server, folder: Path, concurrency: int) -> dict[str, Any]:
    """Run one client once."""
    command = [sys.executable, "-m", "benchmarks.one_client", client, json.dumps(asdict(server))]
    done = subprocess.run(
        [*command, str(folder), str(concurrency)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # JSON


def environment(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say what was measured where."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "command": f"python -m benchmarks.register {' '.join(sys.argv[1:])}".strip(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "machine": f"{platform.system()} {platform.machine()}, {platform.release()}",
        **{name: value for name, value in vars(arguments).items() if name != "out"},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format medians and ratios."""
    lines = [
        "| client | CPU ms/device | x base | devices/s | p50 ms | p99 ms | threads | KiB/device |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row['client']} | {row['cpu_ms']:.2f} | {row['ratio']:.2f} | {row['per_s']:.0f} "
        f"| {row['p50_ms']:.0f} | {row['p99_ms']:.0f} | {row['threads']:.0f} "
        f"| {row['kib_each']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def summarise(rounds: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Take medians over the rounds; ratios within each round first."""
    rows = []
    for client in CLIENTS:
        runs = [one[client] for one in rounds]
        numbers = {
            name: statistics.median(run[name] for run in runs)
            for name in ("cpu_ms", "per_s", "p50_ms", "p99_ms", "threads", "kib_each")
        }
        ratio = statistics.median(one[client]["cpu_ms"] / one[BASE]["cpu_ms"] for one in rounds)
        rows.append({"client": client, "ratio": ratio, **numbers})

    return rows


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    arguments = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        devices = folder / "devices"
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, arguments.devices + 1)
        with emulator(folder, root) as server:
            for number in range(arguments.rounds):
                rounds.append(
                    {
                        client: measure(client, server, devices, arguments.concurrency)
                        for client in CLIENTS
                    }
                )
                print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

    facts, rows = environment(arguments), summarise(rounds)
    print("\n".join(f"{key}: {value}" for key, value in facts.items()))
    print(f"\n{table(rows)}")
    if arguments.out is not None:
        arguments.out.write_text(
            json.dumps({"environment": facts, "medians": rows, "rounds": rounds}, indent=1)
        )


if __name__ == "__main__":
    main()
