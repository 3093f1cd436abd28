"""A site of two network namespaces: devices and proxies here, a firewall and the service there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from tests.paths.real_proxies import REAL_PROXIES, within

HERE: Final = Path(__file__).parent
DEVICE, SERVICE = "10.213.0.1", "10.213.0.2"
REST_PORT, MQTT_PORT = 443, 8883
_START: Final = 120.0
"""Seconds that the emulator may take to start."""
_CHAIN: Final = "add table inet t; add chain inet t in { type filter hook input priority 0; };"


class Site:
    """Two namespaces, a link between them, an emulator, and every proxy of Debian."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        number = os.getpid()
        self.here, self.there = f"aiodps-{number}-d", f"aiodps-{number}-s"
        self.proxies: dict[str, str | None] = {"none": None}
        """URL of each proxy by its kind."""
        self._stack = contextlib.ExitStack()
        self._link: subprocess.Popen[str]
        self._devices: subprocess.Popen[str]
        self._facts: dict[str, Any]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for namespace in (self.here, self.there):
                command("ip", "netns", "add", namespace)
                stack.callback(command, "ip", "netns", "del", namespace)

            self._link = stack.enter_context(
                talking(
                    *(sys.executable, str(HERE / "delaying_link.py")),
                    *(self.here, DEVICE, self.there, SERVICE),
                )
            )
            assert self._link.stdout is not None
            assert self._link.stdout.readline() == "up\n"
            self._facts = stack.enter_context(self._emulator())
            for port, proxy in enumerate(REAL_PROXIES, 3128):
                self.proxies[proxy.kind] = stack.enter_context(
                    proxy.running(self.folder, port, namespace=self.here, interface=DEVICE)
                )

            program = within(self.here, [sys.executable, "-m", "tests.paths.device_process"])
            self._devices = stack.enter_context(talking(*program))
            self._stack = stack.pop_all()

        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def _emulator(self) -> Iterator[dict[str, Any]]:
        key, ready = self.folder / "group.key", self.folder / "ready.json"
        key.touch(mode=0o600)
        key.write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
        program = [
            *(sys.executable, "-m", "aiodps", "emulator", "--quiet", "--retry-after", "0"),
            *("--host", SERVICE, "--i-know-this-is-not-secure", "--group-key", f"all={key}"),
            *("--https-port", str(REST_PORT), "--mqtt-port", str(MQTT_PORT)),
            *("--ca-out", str(self.folder / "ca.pem"), "--ready-file", str(ready)),
            *("--log-json", str(self.folder / "requests.jsonl")),
        ]
        with subprocess.Popen(within(self.there, program), stdout=subprocess.DEVNULL) as process:
            try:
                until = time.monotonic() + _START
                while not ready.exists():
                    assert process.poll() is None
                    assert time.monotonic() < until
                    time.sleep(0.05)

                yield json.loads(ready.read_text("utf-8"))
            finally:
                process.terminate()

    def set_network(self, rules: str, *, delay: float) -> None:
        """Put rules of nft before the service, and a delay on each way."""
        chain = f"{_CHAIN} {rules}" if rules else ""
        command(*within(self.there, ["nft", f"flush ruleset; {chain}"]))
        assert self._link.stdin is not None
        assert self._link.stdout is not None
        self._link.stdin.write(f"{delay}\n")
        self._link.stdin.flush()
        self._link.stdout.readline()

    def provision(self, devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Provision devices at once, in the namespace of the devices."""
        common = {
            "id_scope": self._facts["id_scope"],
            "endpoint": SERVICE,
            "trust": str(self.folder / "ca.pem"),
            "group_key_file": str(self.folder / "group.key"),
        }
        assert self._devices.stdin is not None
        assert self._devices.stdout is not None
        self._devices.stdin.write(json.dumps([common | each for each in devices]) + "\n")
        self._devices.stdin.flush()
        results: list[dict[str, Any]] = json.loads(self._devices.stdout.readline())
        return results

    def registers(self) -> Counter[str]:
        """Count the register requests of each device, by the emulator's own log."""
        lines = (self.folder / "requests.jsonl").read_text("utf-8").splitlines()
        logged = [json.loads(line) for line in lines]
        return Counter(
            each["registration_id"] for each in logged if each["operation"] == "register"
        )


def command(*words: str) -> None:
    """Run a command to its end."""
    subprocess.run(words, check=True)


@contextlib.contextmanager
def talking(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that talks over stdin and stdout, and ends with its stdin."""
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.communicate("")
