"""`RunOptions` and `ShardSpec`: a run as plain data, for the run folder and for other machines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Staged, unusable
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.protocol.identifiers import is_azure
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings
from aiodps.transports import AUTO, TRANSPORTS, transport_by_name
from aiodps.transports.base import TransportFactory

AZURE_LIMIT: Final = 1000.0
"""Registrations per minute of one DPS instance. Source: Microsoft Learn, "Azure subscription and
service limits", Device Provisioning Service."""
DEFAULT_ARRIVALS: Final = Closed(concurrency=50)
MAX_SHARDS: Final = 1024
JournalMode: TypeAlias = Literal["durable", "memory"]
"""Whether devices wait until the disk has their state, or not."""
_PER_DEVICE_SETTINGS: Final = (
    *("registration_id", "certificate", "private_key", "key_password_file"),
    *("symmetric_key_file", "group_key_file", "secondary_certificate", "secondary_private_key"),
    *("secondary_key_password_file", "secondary_symmetric_key_file", "secondary_group_key_file"),
    *("transport", "port"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How the emulator of a run behaves; None for the emulator's own default."""

    assign_after: float | None = None
    """Seconds it takes to assign a device."""
    retry_after: int | None = None
    """Seconds it asks devices to wait between two polls."""

    def __post_init__(self) -> None:
        """Check that they are numbers: they become arguments of a command."""
        for name, value in dataclasses.asdict(self).items():
            if value is not None and (
                type(value) not in {int, float} or not 0 <= value < math.inf
            ):
                raise unusable(name, value, "a number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What decides how a run goes, except its devices; checked, and can be pickled.

    Raises:
        ConfigurationError: If a value cannot be used, or two contradict each other.
    """

    settings: Settings
    """Address of the service, and time-outs. Settings of a single device keep their defaults;
    `trust` is a file or a keyword."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """TCP port by transport name; the transport's default where there is none."""
    min_poll_interval: float = 2.0
    """Shortest time between two polls in seconds; less than 2 only for emulators."""
    transports: tuple[str, ...] = ("mqtt",)
    """Names of one or several transports, which alternate over the same devices."""
    arrivals: Arrivals = DEFAULT_ARRIVALS
    limit_rate: float | None = None
    """Most devices started per minute; 0 for no limit, None for the service's quota: 1,000 for
    Azure, unknown for others."""
    seed: int = 0
    """Makes schedules and jitter repeatable."""
    shards: int = 1
    journal: JournalMode = "durable"
    """"durable": a device waits until its state is on disk. "memory": no device waits, and a kill
    may lose what happened in the last `aiodps.fleet.journal.writer.INTERVAL` seconds."""
    force_memory_journal: bool = False
    """Whether "memory" is allowed on Azure, where what is lost is registered and billed again."""
    keys_out: Path | None = None
    """Folder for the certificates that devices ask for (`issue` in the settings), with their keys;
    None if they ask for none, or if an emulator issues them for the test alone."""
    emulator: EmulatorOptions | None = None
    """The emulator to start for the run; None if the service is running already."""

    def __post_init__(self) -> None:
        """Check every value, and the values against each other."""
        self._check_settings()
        _check_transports(self.transports)
        if type(self.shards) is not int or not 0 < self.shards <= MAX_SHARDS:
            raise unusable("shards", self.shards, f"a number from 1 to {MAX_SHARDS}")

        concurrency = self.arrivals.concurrency
        if concurrency is not None and concurrency < self.shards:
            raise unusable(
                "concurrency", concurrency, f"at least one for each shard: {self.shards}"
            )

        self._check_keys()
        self._check_journal()
        self._check_limit()

    def _check_settings(self) -> None:
        settings, defaults = self.settings, Settings()
        for name in _PER_DEVICE_SETTINGS:
            given = getattr(settings, name)
            if given != getattr(defaults, name):
                raise unusable(name, given, f"no {name}: a fleet has many devices")

        if settings.id_scope is None:
            raise ConfigurationError(
                "the id scope is missing",
                setting="id_scope",
                hint="give --id-scope, or set AIODPS_ID_SCOPE: it is on the overview page of the "
                "DPS instance",
            )

        if not isinstance(settings.trust, str | Path | None):
            raise unusable(
                "trust", settings.trust, "a PEM file or a keyword, which every shard can read"
            )

        if settings.trust is not None and Path(settings.trust).is_fifo():
            raise unusable("trust", settings.trust, "a regular file, which every shard reads")

        Trust.of(settings.trust)
        _check_proxy(settings)
        if self.azure and self.min_poll_interval < RetryPolicy().min_poll_interval:
            raise ConfigurationError(
                "Azure allows each device five polls in ten seconds",
                setting="min_poll_interval",
                hint="give a shortest interval of 2 s or more",
            )

    def _check_keys(self) -> None:
        issue, keys = self.settings.issue, self.keys_out
        if (issue is None and keys is not None) or (
            issue is not None and keys is None and self.emulator is None
        ):
            raise ConfigurationError(
                "certificates that are issued need a folder for their keys, and no others do",
                setting="keys_out",
                hint="give both --issue and --keys-out DIR, or neither",
            )

    def _check_journal(self) -> None:
        if self.journal not in get_args(JournalMode):
            raise unusable("journal", self.journal, "durable or memory")

        if self.journal == "memory" and self.azure and not self.force_memory_journal:
            raise ConfigurationError(
                "Azure bills each register request, and a journal in memory may lose some",
                setting="journal",
                hint="leave out --journal, or force it with --force-memory-journal",
            )

    def _check_limit(self) -> None:
        if self.limit_rate is not None and not 0 <= self.limit_rate < math.inf:
            raise unusable("limit_rate", self.limit_rate, "a number of devices per minute")

        limit = self.max_per_minute
        arrivals = self.arrivals
        match arrivals:
            case Burst() if limit is not None:
                raise ConfigurationError(
                    f"a burst starts all devices at once, and the limit is {limit:g} per minute",
                    setting="limit_rate",
                    hint="give --limit-rate 0 for no limit, if you may overload the service",
                )
            case Open() | Staged() if limit is not None and arrivals.highest_rate * 60 > limit:
                raise ConfigurationError(
                    f"{arrivals.highest_rate:g} devices per second exceed the limit of {limit:g} "
                    "per minute",
                    setting="rate",
                    hint=f"give a rate up to {limit / 60:g}, or another --limit-rate",
                )
            case _:
                return

    @property
    def azure(self) -> bool:
        """Whether the service is Azure, which has quotas and bills requests."""
        return is_azure(self.settings.endpoint)

    @property
    def durable(self) -> bool:
        """Whether a device waits until its state is on disk."""
        return self.journal == "durable"

    @property
    def max_per_minute(self) -> float | None:
        """Most devices started per minute; None for no limit."""
        if self.limit_rate is None:
            return AZURE_LIMIT if self.azure else None

        return self.limit_rate or None

    def transport(self, name: str) -> TransportFactory:
        """Return a transport by its name."""
        return transport_by_name(
            name, port=self.ports.get(name), session=self.settings.mqtt_session
        )

    def client(self, transport: TransportFactory) -> ProvisioningClient:
        """Return a client whose jitter comes from the seed."""
        return ProvisioningClient.from_settings(
            # The transport has the session of its own already.
            dataclasses.replace(self.settings, transport=transport, mqtt_session=None),
            # A gateway that restarts refuses connections for a while, and a fleet keeps trying.
            retry=RetryPolicy(min_poll_interval=self.min_poll_interval, max_unreachable=None),
            loud=False,
            seed=self.seed,
        )

    def registrations(self, count: int) -> list[tuple[int, str]]:
        """List every registration of a run of `count` devices: index of the device, transport.

        Two transports alternate, and the two registrations of a device are half a run apart, so
        that they do not overlap.
        """
        offset = count // len(self.transports)
        return [
            ((index + position * offset) % count, transport)
            for index in range(count)
            for position, transport in enumerate(self.transports)
        ]

    def shard_of(self, number: int) -> int:
        """Return the shard of a registration; every shard uses all transports of the run."""
        return number // len(self.transports) % self.shards


def _check_transports(names: tuple[str, ...]) -> None:
    """Refuse what is not the name of one path to the service, and "auto" with the reason."""
    given, known = ",".join(names), ", ".join(TRANSPORTS)
    if AUTO in names:
        raise ConfigurationError(
            "a fleet measures each transport by itself, and auto is whichever connects first",
            setting="transport",
            hint=f"give one of {known}; or several, such as rest,mqtt, to compare them",
        )

    if not names or not {*names} <= TRANSPORTS.keys():
        raise unusable("transport", given, f"one of {known}; or several, such as rest,mqtt")

    if len({*names}) < len(names):
        raise unusable("transport", given, "each transport once")


def _check_proxy(settings: Settings) -> None:
    """Refuse a proxy's user in the settings, which the run folder keeps and the report shows."""
    if settings.proxy is not None and settings.proxy.user is not None:
        raise ConfigurationError(
            "a fleet's proxy has its user and password in a file",
            setting="proxy",
            hint="write user:password into a file, and give it as proxy_password_file",
        )

    Proxy.load(settings.proxy, settings.proxy_password_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSpec:
    """One shard of a run; can be pickled."""

    run_id: str
    options: RunOptions
    shard: int
    """From 0."""
    source: DeviceSource = field(repr=False)
    """Every device of the run; the shard selects its own."""
    folder: Path
    """The run folder, on a disk that all shards of the run share."""
