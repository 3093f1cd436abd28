"""Who is measured, and in what they differ."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.environments import Environments

import aiodps

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One that provisions devices."""

    name: str
    """Module and function, or the program and its transport."""
    what: str
    """What it is, and what to keep in mind when it is compared."""
    rate: float = 300.0
    """Devices a second on two cores, roughly: to tell in advance how long a table takes."""
    takes: float = 0.02
    """Seconds that a device takes, however little there is to do."""
    most: int = 1000
    """At once: it cannot do more."""
    observed: bool = True
    """Whether memory, threads and descriptors are its own, and not of programs that it starts."""

    def command(self, environments: Environments) -> list[str] | None:
        """Write what runs it, but for the arguments; None if it is not here."""
        if self.name.startswith("azure_sdk:"):
            python = environments.azure_python
            return [python, "-m", "benchmarks.one_client"] if python else None

        if self.name.startswith("node:"):
            script = ROOT / "benchmarks" / "node" / "one_client.js"
            return ["node", str(script)] if environments.node_modules else None

        if self.name == "ours:mqtt_native" and not has_native_session():
            return None

        if self.name.startswith("openssl:"):
            return [sys.executable, "-m", "benchmarks.s_time"]

        return [sys.executable, "-m", "benchmarks.one_client"]


_CLIENTS: Final = (
    Client(
        name="baseline:rest",
        what="asyncio streams and hand-written bytes: no check, limit, error or deadline. A "
        "reference, not a client to use. A TLS context for each device",
    ),
    Client(
        name="ours:rest",
        what="aiodps over HTTPS, configured to wait no longer than the service asks. One TLS "
        "context for all devices, which explains part of the difference to clients with one each",
    ),
    Client(name="harness:rest", what="the same through `aiodps.fleet`, with a durable journal"),
    Client(
        name="peers:stock_httpx",
        what="httpx as its documentation shows it, but trusting one CA instead of all of certifi, "
        "which would add twenty milliseconds per device. A client and context for each device",
        rate=150,
    ),
    Client(
        name="node:rest",
        what="Microsoft's `azure-iot-provisioning-device` for Node.js over HTTPS. A TLS context "
        "for each device; Node's bundled CAs are parsed once",
        rate=170,
    ),
    Client(
        name="curl:rest",
        what="two calls of curl, as in Microsoft's articles: two processes and two handshakes "
        "per device. Its CPU is that of the curl processes only",
        rate=30,
        observed=False,
    ),
    Client(
        name="openssl:handshake",
        what="`openssl s_time`, the minimum in C: a handshake with a certificate whose key was "
        "read once, and no request; always one after the other",
        rate=300,
        observed=False,
    ),
    Client(name="baseline:mqtt", what="as `baseline:rest`, with MQTT's packets"),
    Client(name="ours:mqtt", what="aiodps over MQTT, on aiomqtt. As `ours:rest` otherwise"),
    Client(
        name="ours:mqtt_native",
        what='aiodps over MQTT with `session="native"`. As `ours:rest` otherwise',
    ),
    Client(name="harness:mqtt", what="the same through `aiodps.fleet`, with a durable journal"),
    Client(
        name="peers:stock_aiomqtt",
        what="aiomqtt as its documentation shows it, trusting one CA. A context for each device, "
        "and handshakes in the loop's threads",
        rate=200,
    ),
    Client(
        name="node:mqtt",
        what="Microsoft's `azure-iot-provisioning-device` for Node.js over MQTT. A TLS context "
        "for each device",
        rate=140,
    ),
    Client(
        name="azure_sdk:mqtt",
        what="Microsoft's `azure-iot-device` 2.14 for Python, asynchronous. It waits 2 s before "
        "its first poll whatever the service says, has two threads for each device, and connects "
        "one device after the other, so its waits determine its rate. A context for each device",
        rate=50,
        takes=2.1,
        most=300,
    ),
    Client(
        name="azure_sdk:mqtt_sync",
        what="the same, synchronous, with a thread for each device under way",
        rate=50,
        takes=2.1,
        most=300,
    ),
)


CLIENTS: Final[Mapping[str, Client]] = {client.name: client for client in _CLIENTS}


def has_native_session() -> bool:
    """Say whether this version of aiodps has an MQTT session of its own."""
    return "session" in inspect.signature(aiodps.MQTT).parameters


def variables(environments: Environments, ca: Path) -> dict[str, str]:
    """Return the environment variables of all clients."""
    path = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    node = {"NODE_PATH": environments.node_modules} if environments.node_modules else {}
    return {
        **os.environ,
        **node,
        "PYTHONPATH": os.pathsep.join(path),
        "NODE_EXTRA_CA_CERTS": str(ca),
    }
