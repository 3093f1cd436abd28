"""What a run is, as plain data: kept in the run folder, and sent to shards elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Open
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.network.trust import Trust
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import GLOBAL_ENDPOINT, Settings
from aiodps.transports import TRANSPORTS, transport_by_name
from aiodps.transports.base import TransportFactory

AZURE_LIMIT: Final = 1000.0
"""Registrations a minute of one DPS instance. Source: Microsoft Learn, "Azure subscription and
service limits", Device Provisioning Service."""
_AZURE: Final = (
    ".azure-devices-provisioning.net",
    ".azure-devices-provisioning.cn",
    ".azure-devices-provisioning.us",
)
MOST_SHARDS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Which service, and how patiently."""

    id_scope: str
    endpoint: str = GLOBAL_ENDPOINT
    ports: Mapping[str, int] = field(default_factory=dict)
    """TCP port by transport; the transport's own if it is not there."""
    trust: str | None = None
    """CAs of the service: a PEM file or a keyword of `Trust`; None for Azure's."""
    hub_suffixes: tuple[str, ...] | None = None
    """Domains in which an assigned hub may lie; None for Azure's."""
    timeout: float = 90.0
    """Seconds for one device."""
    exchange_timeout: float = 30.0
    """Seconds for one request and its answer."""
    min_poll_interval: float = 2.0
    """Least seconds between two polls; less than 2 only for emulators."""

    def __post_init__(self) -> None:
        """Refuse what no client could use."""
        self.settings()
        if self.azure and self.min_poll_interval < RetryPolicy().min_poll_interval:
            raise ConfigurationError(
                "Azure allows a device five polls in ten seconds",
                setting="min_poll_interval",
                hint="leave the least interval at 2 s, or more",
            )

    @property
    def azure(self) -> bool:
        """Whether this is Azure, with its quotas and its bills."""
        return self.endpoint.casefold().endswith(_AZURE)

    def settings(self) -> Settings:
        """Check everything, and return it as a client's settings, without a transport.

        Raises:
            ConfigurationError: If a value makes no sense.
        """
        return Settings().replace(
            id_scope=self.id_scope,
            endpoint=self.endpoint,
            trust=Trust.of(self.trust),
            hub_suffixes=self.hub_suffixes,
            timeout=self.timeout,
            exchange_timeout=self.exchange_timeout,
        )

    def transport(self, name: str) -> TransportFactory:
        """Make a transport."""
        return transport_by_name(name, port=self.ports.get(name))

    def client(self, transport: TransportFactory, *, seed: int) -> ProvisioningClient:
        """Make a client whose jitter comes from a seed."""
        return ProvisioningClient.from_settings(
            self.settings().replace(transport=transport),
            retry=RetryPolicy(min_poll_interval=self.min_poll_interval),
            seed=seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run."""

    run_id: str
    service: Service
    transports: tuple[str, ...]
    """Names of transports, interleaved over the same devices."""
    arrivals: Arrivals
    limit_rate: float | None = None
    """Most devices begun a minute; None for no limit."""
    seed: int = 0
    """Where schedules and jitter come from."""
    shards: int = 1

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if not self.transports or not TRANSPORTS.keys() >= {*self.transports}:
            raise _nonsense(
                "transport", self.transports, f"one or more of {', '.join(TRANSPORTS)}"
            )

        if len({*self.transports}) < len(self.transports):
            raise _nonsense("transport", self.transports, "each transport once")

        if type(self.shards) is not int or not 0 < self.shards <= MOST_SHARDS:
            raise _nonsense("shards", self.shards, f"a number from 1 to {MOST_SHARDS}")

        concurrency = self.arrivals.concurrency
        if concurrency is not None and concurrency < self.shards:
            raise _nonsense("concurrency", concurrency, f"one a shard at least: {self.shards}")

        self._check_limit()

    def _check_limit(self) -> None:
        limit = self.limit_rate
        if limit is None:
            return

        if not (math.isfinite(limit) and limit > 0):
            raise _nonsense("limit_rate", limit, "a number of devices a minute over 0")

        match self.arrivals:
            case Burst():
                raise ConfigurationError(
                    f"a burst begins all devices at once, and the limit is {limit:g} a minute",
                    setting="limit_rate",
                    hint="lift the limit with --limit-rate 0 if the service is yours to burst",
                )
            case Open(rate=rate) if rate * 60 > limit:
                raise ConfigurationError(
                    f"{rate:g} devices a second are more than the limit of {limit:g} a minute",
                    setting="rate",
                    hint=f"give a rate up to {limit / 60:g}, or another --limit-rate",
                )
            case _:
                return

    def jobs(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """List every registration of the run: place of the device, transport.

        With two transports they alternate, and a device's two registrations are half a run
        apart, so that they do not meet.
        """
        count, ways = len(names), len(self.transports)
        return [
            ((at + way * (count // ways)) % count, self.transports[way])
            for at in range(count)
            for way in range(ways)
        ]

    def shard_of(self, number: int) -> int:
        """Say which shard does a registration; each shard has all transports, as the run has."""
        return number // len(self.transports) % self.shards

    def place_in_run(self, index: int, shard: int) -> int:
        """Say which registration of the run is a shard's so-manieth: `shard_of` turned around."""
        ways = len(self.transports)
        return (index // ways * self.shards + shard) * ways + index % ways


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSpec:
    """One shard of a run; can be pickled."""

    plan: Plan
    shard: int
    """From 0."""
    source: DeviceSource = field(repr=False)
    """Every device of the run; the shard takes its own."""
    folder: Path
    """The run folder: on a disk that all shards of the run see."""
    alone: bool = True
    """Whether it may begin at once; else it waits until all shards are ready."""


def default_limit(service: Service) -> float | None:
    """Return the service's own limit where it is known."""
    return AZURE_LIMIT if service.azure else None


def _nonsense(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}", setting=name, hint=f"give {wanted}"
    )
