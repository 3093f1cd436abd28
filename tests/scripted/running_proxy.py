"""Starts the proxy that passes connections on, in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.scripted.proxies import PASSWORD, USER, Kind

from aiodps.network.proxy import Proxy
from aiodps.transports.base import Target, Transport, TransportFactory

SCRIPT = Path(__file__).with_name("proxy_process.py")


def login_of(kind: Kind) -> str:
    """Return what a kind of proxy wants of its clients; nothing if it lets everybody through."""
    return f"{USER}:{PASSWORD}" if kind.authenticates else ""


@contextlib.contextmanager
def running_proxy(*, login: str = f"{USER}:{PASSWORD}") -> Iterator[int]:
    """Run a proxy of both schemes; give its port."""
    command = [sys.executable, "-I", str(SCRIPT), login]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate("")


@dataclass(frozen=True)
class Through:
    """A transport whose connections go through a proxy."""

    factory: TransportFactory
    proxy: Proxy

    @property
    def name(self) -> str:
        """The transport's own name."""
        return self.factory.name

    def open(self, target: Target) -> Transport:
        """Open it for a target, with the proxy."""
        return self.factory.open(dataclasses.replace(target, proxy=self.proxy))
