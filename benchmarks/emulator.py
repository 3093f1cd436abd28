"""What the emulator costs: CPU of a registration, memory of an idle connection, a burst.

    python -m benchmarks.emulator                          # to the terminal
    python -m benchmarks.emulator --out benchmarks/results
    python -m benchmarks.emulator --rounds 8 --seconds 3 --connections 1200    # in eight minutes

The yardsticks of CPU are two bare handshakes, which are measured in the same rounds: what the
emulator itself, and what `openssl s_server` spends on each connection of `openssl s_time` with the
same certificates. The kernel counts CPU in ticks of 10 ms: in 3 s that is nothing, and so each
kind is done for as long.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from benchmarks.baseline import Server
from benchmarks.conversations import CONVERSATIONS, Conversation
from benchmarks.crowd import Crowd
from benchmarks.quiet import wait_until_quiet
from benchmarks.s_time import handshakes
from benchmarks.server import emulator, issue
from benchmarks.spent import cpu_seconds
from benchmarks.table import spread, written
from benchmarks.where import environment
from OpenSSL import SSL

from aiodps.pki import Authority, Credential

IDLE: Final = 2_000
BURST: Final = 5_000
YARDSTICKS: Final = ("openssl", "handshake")
KINDS: Final = {
    "openssl": "a handshake, by `openssl s_server`",
    "handshake": "a handshake, by the emulator",
    "rest": "a registration over HTTPS",
    "mqtt": "a registration over MQTT",
    "mqtt-ws": "a registration over MQTT over WebSocket",
}
"""What is measured: both handshakes, and each of `CONVERSATIONS`."""
_DROPS: Final = ("ListenOverflows", "ListenDrops")
"""Names of the kernel's counters of connections that nobody accepted in time."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the clients need, in files."""

    ca: str
    devices: str

    @property
    def one(self) -> str:
        """Return the beginning of the names of one device's files."""
        return f"{self.devices}/dev-00000"


def client(server: Server, files: Files, conversation: Conversation, **more: Any) -> list[str]:
    """Write the command of a crowd that holds one conversation."""
    port = server.mqtt_port if conversation.mqtt else server.https_port
    messages, ends = conversation.written(server.id_scope)
    crowd = Crowd(
        host=server.host, port=port, **asdict(files), messages=messages, ends=ends, **more
    )
    return [sys.executable, "-m", "benchmarks.crowd", json.dumps(asdict(crowd))]


def cost(server: Server, files: Files, name: str, count: int) -> dict[str, Any]:
    """Measure the server's CPU for each connection with a conversation."""
    before = cpu_seconds(server.pid)
    command = client(server, files, CONVERSATIONS[name], count=count)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    spent = cpu_seconds(server.pid) - before
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts | {"cpu_ms": spent * 1000 / count}


@contextmanager
def openssl_server(
    credential: Credential, root: Authority, folder: Path
) -> Iterator[tuple[int, int]]:
    """Run `openssl s_server`, which trusts the root; give its process id and its port."""
    certificate, key, trusted = (folder / name for name in ("floor.pem", "floor.key", "floor.ca"))
    trusted.write_bytes(root.certificate_pem)
    certificate.write_bytes(credential.certificate_pem)
    key.touch(mode=0o600)
    key.write_bytes(credential.private_key_pem)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    command = [
        *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-verify_quiet"),
        *("-cert", str(certificate), "-key", str(key), "-verify", "5", "-CAfile", str(trusted)),
        *("-no-CApath", "-no-CAstore"),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(port)
            yield process.pid, port
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return

    raise SystemExit("openssl s_server did not start")


def handshake(pid: int, host: str, port: int, files: Files, *, seconds: float) -> float:
    """Return the milliseconds of CPU that a server spends on a connection of `s_time`."""
    before = cpu_seconds(pid)
    count = handshakes(host, port, ca=files.ca, device=files.one, seconds=seconds)
    return (cpu_seconds(pid) - before) * 1000 / count


def idle(server: Server, files: Files, name: str, count: int) -> dict[str, Any]:
    """Measure the memory of connections that have said something and now say nothing."""
    before = psutil.Process(server.pid).memory_info().rss
    command = client(server, files, CONVERSATIONS[name], count=count, hold=True)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        facts: dict[str, Any] = json.loads(process.stdout.readline())
        grown = psutil.Process(server.pid).memory_info().rss - before
        process.communicate()

    return facts | {"kib_each": grown / 1024 / facts["answered"]}


def burst(server: Server, files: Files, count: int) -> dict[str, Any]:
    """Let so many devices connect at once, and see whether the kernel dropped any."""
    before = overflows()
    command = client(server, files, CONVERSATIONS["rest"], count=count, at_once=count)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    after = overflows()
    return facts | {name: after[name] - before[name] for name in after}


def overflows() -> dict[str, int]:
    """Return how many connections this machine has dropped before they were accepted."""
    lines = Path("/proc/net/netstat").read_text(encoding="ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return {name: int(values[names.index(name)]) for name in _DROPS}


def measure(folder: Path, *, rounds: int, count: int, seconds: float) -> dict[str, Any]:
    """Measure everything, each kind against an emulator of its own."""
    root, ca = Authority.root("bench root"), Authority.root("floor")
    files = Files(str(folder / "ca.pem"), str(folder))
    issue(root.intermediate("bench intermediate"), folder, max(count, IDLE, BURST))
    result: dict[str, Any] = {"cpu_ms": []}
    with (
        openssl_server(ca.server(["localhost"]), root, folder) as (pid, port),
        _fresh(folder, root, files) as server,
    ):
        for number in range(rounds):
            one = {"openssl": handshake(pid, "127.0.0.1", port, files, seconds=seconds)}
            where = (server.pid, server.host, server.https_port)
            one["handshake"] = handshake(*where, files, seconds=seconds)
            for name in CONVERSATIONS:
                one[name] = cost(server, files, name, count)["cpu_ms"]

            result["cpu_ms"].append(one)
            print(f"{number + 1} of {rounds}", file=sys.stderr)

    for name in CONVERSATIONS:
        with _fresh(folder, root, files) as server:
            result[f"idle {name}"] = idle(server, files, name, IDLE)

    with _fresh(folder, root, files) as server:
        result["burst"] = burst(server, files, BURST)

    return result


@contextmanager
def _fresh(folder: Path, root: Authority, files: Files) -> Iterator[Server]:
    """Run an emulator, warm."""
    for name in ("ready", "server-ca.pem"):
        (folder / name).unlink(missing_ok=True)

    with emulator(folder, root) as server:
        Path(files.ca).write_text(server.ca)
        for name in CONVERSATIONS:
            cost(server, files, name, 100)

        yield server


def summary(result: Mapping[str, Any]) -> str:
    """Say it in a few lines: medians, and in brackets least and most."""
    load = result["environment"]["load_before"]
    lines = [
        f"Load before: {load:.1f}\n",
        "| | CPU ms/connection | x openssl | x handshake |",
        "| --- | --: | --: | --: |",
    ]
    rounds = result["cpu_ms"]
    for name, what in KINDS.items():
        spent = spread([one[name] for one in rounds])
        ratios = [spread([one[name] / one[to] for one in rounds]) for to in YARDSTICKS]
        cells = (f"`{name}`: {what}", *(written(each, 2) for each in (spent, *ratios)))
        lines.append(f"| {' | '.join(cells)} |")

    lines += [
        f"\n{name}: {result[name]['kib_each']:.0f} KiB a connection"
        for name in (f"idle {each}" for each in CONVERSATIONS)
    ]
    return "\n".join((*lines, f"\n{burst_in_words(result['burst'])}"))


def burst_in_words(facts: Mapping[str, Any]) -> str:
    """Say how a burst went."""
    answered, failures = facts["answered"], facts["failures"]
    failed = f"; {failures:,} failed, the first by {facts['first_failure']}" if failures else ""
    dropped = sum(facts[name] for name in _DROPS)
    return (
        f"A burst of {answered + failures:,} devices: {answered:,} were answered in "
        f"{facts['seconds']:.1f} s, the last one after {facts['slowest']:.1f} s{failed}. "
        f"The kernel dropped {dropped or 'no'} connections."
    )


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="of handshakes in a round")
    parser.add_argument("--connections", type=int, default=4000, help="of each kind in a round")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for everything as JSON")
    options = parser.parse_args()
    wait_until_quiet(anyway=options.anyway)
    how = {"rounds": options.rounds, "count": options.connections, "seconds": options.seconds}
    openssl = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
    facts = environment(how | {"openssl_of_the_emulator": openssl})
    with tempfile.TemporaryDirectory() as name:
        result = {"environment": facts, **measure(Path(name), **how)}

    text = summary(result)
    print(text)
    if options.out is not None:
        (options.out / "emulator.md").write_text(text + "\n")
        (options.out / "emulator.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
