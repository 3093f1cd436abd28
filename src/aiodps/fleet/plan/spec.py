"""What a run is, as plain data: kept in the run folder, and sent to shards elsewhere."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.network.trust import Trust
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings
from aiodps.transports import TRANSPORTS, transport_by_name
from aiodps.transports.base import TransportFactory

AZURE_LIMIT: Final = 1000.0
"""Registrations a minute of one DPS instance. Source: Microsoft Learn, "Azure subscription and
service limits", Device Provisioning Service."""
DEFAULT_ARRIVALS: Final = Closed(concurrency=50)
MOST_SHARDS: Final = 1024
_AZURE: Final = (
    ".azure-devices-provisioning.net",
    ".azure-devices-provisioning.cn",
    ".azure-devices-provisioning.us",
)
_OF_ONE_DEVICE: Final = (
    *("registration_id", "certificate", "private_key", "key_password_file"),
    *("transport", "port"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How the emulator behaves that is started for a run; None for its own default."""

    assign_after: float | None = None
    """Seconds it takes to assign a device."""
    retry_after: int | None = None
    """Seconds it tells devices to wait between two polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything that decides what a run does, but its devices; checked, and can be pickled.

    Raises:
        ConfigurationError: If a value cannot be used, or two contradict each other.
    """

    settings: Settings
    """Where the service is, and how long a device and a request may take. The device's own
    settings stay at their defaults; `trust` is a file or a keyword."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """TCP port by transport; the transport's own if it is not there."""
    min_poll_interval: float = 2.0
    """Shortest time between two polls in seconds; less than 2 only for emulators."""
    transports: tuple[str, ...] = ("mqtt",)
    """"rest", "mqtt", or both, alternating over the same devices."""
    arrivals: Arrivals = DEFAULT_ARRIVALS
    limit_rate: float | None = None
    """Most devices started a minute; 0 for no limit, None for the service's own where it is
    known: 1,000 for Azure."""
    seed: int = 0
    """Makes schedules and jitter repeatable."""
    shards: int = 1
    emulator: EmulatorOptions | None = None
    """The emulator to start for the run; None if the service is there already."""

    def __post_init__(self) -> None:
        """Refuse what no client could use, and what contradicts itself."""
        self._check_settings()
        if not self.transports or not {*self.transports} <= TRANSPORTS.keys():
            raise _unusable("transport", self.transports, "rest, mqtt, or rest,mqtt")

        if len({*self.transports}) < len(self.transports):
            raise _unusable("transport", self.transports, "each transport once")

        if type(self.shards) is not int or not 0 < self.shards <= MOST_SHARDS:
            raise _unusable("shards", self.shards, f"a number from 1 to {MOST_SHARDS}")

        concurrency = self.arrivals.concurrency
        if concurrency is not None and concurrency < self.shards:
            raise _unusable("concurrency", concurrency, f"at least one a shard: {self.shards}")

        self._check_limit()

    def _check_settings(self) -> None:
        settings = self.settings
        given = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
        settings.replace(**given)
        for name in _OF_ONE_DEVICE:
            if given[name] != getattr(_DEFAULTS, name):
                raise _unusable(name, given[name], "it for one device, not for a fleet")

        if settings.id_scope is None:
            raise ConfigurationError(
                "no id scope was given",
                setting="id_scope",
                hint="give --id-scope; it is on the overview page of the DPS instance",
            )

        if not isinstance(settings.trust, str | Path | None):
            raise _unusable("trust", settings.trust, "a PEM file or a keyword: shards read it")

        Trust.of(settings.trust)
        if self.azure and self.min_poll_interval < RetryPolicy().min_poll_interval:
            raise ConfigurationError(
                "Azure allows a device five polls in ten seconds",
                setting="min_poll_interval",
                hint="leave the shortest interval at 2 s or more",
            )

    def _check_limit(self) -> None:
        if self.limit_rate is not None and not 0 <= self.limit_rate < math.inf:
            raise _unusable("limit_rate", self.limit_rate, "a number of devices a minute")

        limit = self.most_a_minute
        match self.arrivals:
            case Burst() if limit is not None:
                raise ConfigurationError(
                    f"a burst starts all devices at once, and the limit is {limit:g} a minute",
                    setting="limit_rate",
                    hint="lift the limit with --limit-rate 0 if the service is yours to burst",
                )
            case Open(rate=rate) if limit is not None and rate * 60 > limit:
                raise ConfigurationError(
                    f"{rate:g} devices a second are more than the limit of {limit:g} a minute",
                    setting="rate",
                    hint=f"give a rate up to {limit / 60:g}, or another --limit-rate",
                )
            case _:
                return

    @property
    def azure(self) -> bool:
        """Whether this is Azure, with its quotas and its bills."""
        return self.settings.endpoint.casefold().endswith(_AZURE)

    @property
    def most_a_minute(self) -> float | None:
        """Most devices started a minute; None for no limit."""
        if self.limit_rate is None:
            return AZURE_LIMIT if self.azure else None

        return self.limit_rate or None

    def transport(self, name: str) -> TransportFactory:
        """Make a transport by its name."""
        return transport_by_name(name, port=self.ports.get(name))

    def client(self, transport: TransportFactory) -> ProvisioningClient:
        """Make a client whose jitter comes from the seed."""
        return ProvisioningClient.from_settings(
            self.settings.replace(transport=transport),
            retry=RetryPolicy(min_poll_interval=self.min_poll_interval),
            seed=self.seed,
        )

    def jobs(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """List every registration of the run: index of the device, transport.

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

    def number_in_run(self, index: int, shard: int) -> int:
        """Return the number in the run of a shard's N-th registration: `shard_of` reversed."""
        ways = len(self.transports)
        return (index // ways * self.shards + shard) * ways + index % ways


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSpec:
    """One shard of a run; can be pickled."""

    run_id: str
    options: RunOptions
    shard: int
    """From 0."""
    source: DeviceSource = field(repr=False)
    """Every device of the run; the shard takes its own."""
    folder: Path
    """The run folder: on a disk that all shards of the run see."""


_DEFAULTS: Final = Settings()


def _unusable(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}", setting=name, hint=f"give {wanted}"
    )
