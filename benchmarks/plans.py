"""What is measured: the tables, who is in each, and how long each takes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.clients import CLIENTS, Client

from aiodps.pki import KeyType

_START_UP: Final = 1.5
"""Seconds in which a client's process starts."""
_WARM_UP: Final = 0.5
BOTH: Final = ("baseline:rest", "baseline:mqtt", "ours:rest", "ours:mqtt", "ours:mqtt_native")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One table; one below the other if there are several numbers of devices at once."""

    name: str
    title: str
    question: str
    """What it answers."""
    clients: tuple[str, ...]
    at_once: tuple[int, ...] = (50,)
    devices: int = 0
    """That are measured; 0 for as many as take the seconds of a round."""
    key_type: KeyType = "ec"
    """Of the devices and their CAs; the server's certificate is the emulator's own, P-256."""
    retry_after: int = 0
    """Seconds that the service asks for."""
    round_trip: float = 0.0
    """Seconds that the link takes, there and back."""
    newest: bool = False
    """Whether it is done on the newest Python as well."""
    compared: str = "cpu_ms"
    """The figure by which clients are compared."""

    @property
    def conditions(self) -> str:
        """Say what holds for all of it."""
        key = {"ec": "P-256", "rsa": "RSA-2048"}[self.key_type]
        link = f"a link of {self.round_trip * 1000:.0f} ms round trip" if self.round_trip else ""
        count = f"{self.devices} devices a round" if self.devices else ""
        facts = (f"keys {key}", f"Retry-After {self.retry_after}", link or "loopback", count)
        return ", ".join(filter(None, facts))

    def seconds(self, client: Client, at_once: int, *, seconds: float) -> float:
        """Estimate how long a client takes in a round."""
        alone = client.takes + 5 * self.round_trip + self.retry_after
        wave = max(alone, at_once / self.rate(client))
        if self.devices:
            return _START_UP + 2 * alone + max(alone, self.devices / self.rate(client))

        measured = max(1.2 * seconds, 2 * wave)
        return _START_UP + alone + max(_WARM_UP, wave) + measured

    def rate(self, client: Client) -> float:
        """Estimate how many devices a second a client manages."""
        serial = client.takes > 1 and self.round_trip
        return min(client.rate, 0.8 / self.round_trip) if serial else client.rate

    def minutes(self, *, rounds: int, seconds: float) -> float:
        """Estimate how long it takes in all."""
        one = sum(
            self.seconds(client, each, seconds=seconds) * (2 if self.newest else 1)
            for each in self.at_once
            for client in self.taking_part(each)
        )
        return math.ceil((20 + rounds * one) / 6) / 10

    def taking_part(self, at_once: int) -> Iterator[Client]:
        """Name who does that many at once."""
        return (CLIENTS[name] for name in self.clients if CLIENTS[name].most >= at_once)

    def cut_down(self, *, at_once: Sequence[int], clients: Collection[str]) -> Plan:
        """Return the same with these alone; with all if none are given."""
        left = tuple(name for name in self.clients if not clients or name in clients)
        return replace(self, at_once=tuple(at_once) or self.at_once, clients=left)


_PLANS: Final = (
    Plan(
        name="main",
        title="What a device costs",
        question="The processor time of a registration, from register to assigned, compared with "
        "plain asyncio and with Microsoft's SDK.",
        clients=(*BOTH, "azure_sdk:mqtt"),
    ),
    Plan(
        name="peers",
        title="Other clients",
        question="The same, compared with httpx and aiomqtt used directly, Node's SDK, curl, and "
        "the minimum in C.",
        clients=tuple(CLIENTS),
    ),
    Plan(
        name="concurrency",
        title="1 to 1,000 devices at a time",
        question="Whether a device costs more when many are under way, and how much memory each "
        "open connection takes.",
        clients=(*BOTH, "node:rest", "node:mqtt", "azure_sdk:mqtt"),
        at_once=(1, 50, 300, 1000),
    ),
    Plan(
        name="rsa",
        title="RSA-2048",
        question="The cost of devices with RSA keys.",
        clients=BOTH,
        key_type="rsa",
    ),
    Plan(
        name="waits",
        title="Retry-After of 3 seconds",
        question="How long 300 devices take that start at once, and what each costs while it "
        "waits. azure-iot-device polls too early: it waits 2 s whatever Retry-After says.",
        clients=(
            *("ours:rest", "ours:mqtt", "ours:mqtt_native"),
            *("node:rest", "node:mqtt", "azure_sdk:mqtt"),
        ),
        at_once=(300,),
        devices=300,
        retry_after=3,
        compared="wall_s",
    ),
    Plan(
        name="link",
        title="A round trip of 100 ms",
        question="How long 200 devices take that start at once, 50 ms away from the service.",
        clients=(*BOTH, "node:rest", "node:mqtt", "azure_sdk:mqtt"),
        at_once=(200,),
        devices=200,
        round_trip=0.1,
        compared="wall_s",
    ),
    Plan(
        name="python",
        title="The newest Python",
        question="What the newest Python changes, on the same machine and OpenSSL.",
        clients=BOTH,
        newest=True,
    ),
)
PLANS: Final[Mapping[str, Plan]] = {plan.name: plan for plan in _PLANS}
