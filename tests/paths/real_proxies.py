"""Proxies of Debian, in the foreground, each with a configuration of its own in a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOGIN: Final = "user:correct-horse"
DENIED_PORT: Final = 9
"""The port to which squid and dante let nobody connect."""
_START: Final = 60.0
"""Seconds that a proxy may take to start."""

_TINYPROXY: Final = """
Port {port}
Listen 127.0.0.1
Timeout 120
MaxClients 200
Allow 127.0.0.1
BasicAuth {user} {password}
LogFile "{folder}/tinyproxy.log"
"""
_SQUID: Final = """
http_port 127.0.0.1:{port}
pid_filename none
access_log none
cache_log /dev/null
netdb_filename none
coredump_dir none
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
acl denied port {denied}
http_access deny denied
http_access allow all
"""
_DANTE: Final = """
logoutput: {folder}/dante.log
internal: 127.0.0.1 port = {port}
external: {interface}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: 0.0.0.0/0 port = {denied} }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""


@dataclass(frozen=True)
class RealProxy:
    """A program, how it is configured and started, and what it speaks."""

    name: str
    kind: str
    """As in tests/scripted/proxies.py."""
    scheme: str
    login: str
    command: str
    configuration: str = ""

    def __str__(self) -> str:
        """Name it in test ids."""
        return self.name

    def url(self, port: int) -> str:
        """Return its URL, with user and password if it wants them."""
        return f"{self.scheme}://{self.login}{'@' if self.login else ''}127.0.0.1:{port}"

    @contextlib.contextmanager
    def running(
        self, folder: Path, port: int, *, namespace: str | None = None, interface: str = "lo"
    ) -> Iterator[str]:
        """Run it; give its URL once it listens."""
        user, password = LOGIN.split(":")
        facts = {"folder": folder, "port": port, "interface": interface, "denied": DENIED_PORT}
        facts |= {"user": user, "password": password, "file": folder / f"{self.name}.conf"}
        (folder / f"{self.name}.conf").write_text(self.configuration.format(**facts))
        command = within(namespace, self.command.format(**facts).split())
        output = (folder / f"{self.name}.out").open("wb")
        with (
            output,
            subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True
            ) as process,
        ):
            try:
                await_listener(process, port, namespace)
                yield self.url(port)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


def within(namespace: str | None, command: list[str]) -> list[str]:
    """Return a command that is run in a network namespace; in this one if it is None."""
    return command if namespace is None else ["ip", "netns", "exec", namespace, *command]


def await_listener(process: subprocess.Popen[bytes], port: int, namespace: str | None) -> None:
    """Wait until somebody listens on a port."""
    listing = within(namespace, ["ss", "-Htln", f"sport = :{port}"])
    until = time.monotonic() + _START
    while not subprocess.run(listing, capture_output=True, check=True).stdout.strip():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.05)


REAL_PROXIES: Final = (
    RealProxy("squid", "connect", "http", "", "squid -N -f {file}", _SQUID),
    RealProxy(
        "tinyproxy", "connect-password", "http", LOGIN, "tinyproxy -d -c {file}", _TINYPROXY
    ),
    RealProxy("dante", "socks5", "socks5", "", "danted -f {file}", _DANTE),
    RealProxy(
        "microsocks",
        "socks5-password",
        "socks5",
        LOGIN,
        "microsocks -i 127.0.0.1 -p {port} -u {user} -P {password}",
    ),
)
