"""`run.json`: what a run is, so that it can be gone on with, and what it was made with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open
from aiodps.fleet.plan.devices import DeviceSource, GeneratedDevices, UnavailableDevices
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.spec import Plan, Service

NAME: Final = "run.json"
VERSION: Final = 1
_ARRIVALS: Final[Mapping[str, type[Closed | Open | Burst]]] = {
    "closed": Closed,
    "open": Open,
    "burst": Burst,
}
_PACKAGES: Final = ("aiodps", "httpx", "httpcore", "aiomqtt", "paho-mqtt", "anyio", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A run as it stands in its folder."""

    plan: Plan
    source: DeviceSource = field(repr=False)
    command: str
    """What was typed; it names files, and holds no secret."""
    created: str
    """When, in UTC."""
    local_emulator: Mapping[str, Any] | None = None
    """Options of the emulator that goes with the run; None if the service is somewhere else."""
    environment: Mapping[str, str] = field(default_factory=dict)
    here: tuple[int, ...] | None = None
    """Shards that run from this folder; None for all. The others are on other machines: they must
    not be run here, nor when the run is gone on with."""

    def write(self, folder: Path) -> None:
        """Write the file into a run folder.

        Raises:
            OSError: If it cannot be written.
        """
        data = {
            "version": VERSION,
            "command": self.command,
            "created": self.created,
            "plan": {**asdict(self.plan), "arrivals": _arrivals(self.plan.arrivals)},
            "source": _source(self.source),
            "rehearsal": self.local_emulator,
            "environment": self.environment,
            "here": self.here,
        }
        draft = folder / f".{NAME}"
        draft.write_text(json.dumps(data, indent=1, default=str) + "\n", encoding="utf-8")
        draft.replace(folder / NAME)

    @classmethod
    def read(cls, folder: Path) -> RunFile:
        """Read the file of a run folder.

        Raises:
            ConfigurationError: If there is no run in it.
        """
        try:
            data = _read(folder)
            return cls(
                plan=_plan(data["plan"]),
                source=_read_source(data["source"]),
                command=data["command"],
                created=data["created"],
                local_emulator=data["rehearsal"],
                environment=data["environment"],
                here=None if data["here"] is None else tuple(data["here"]),
            )
        except (OSError, ValueError, LookupError, TypeError) as exc:
            raise ConfigurationError(
                f"{str(folder)!r} holds no run that can be read: {exc}",
                setting="folder",
                hint="give the folder that `aiodps fleet run --out` made",
            ) from exc


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
    if data["version"] != VERSION:
        raise ValueError(f"it is of version {data['version']}")

    return data


def environment() -> dict[str, str]:
    """Say what a run was made with, for its report."""
    facts = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": str(_processors()),
    }
    for name in _PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue

    return facts


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _arrivals(arrivals: Arrivals) -> dict[str, Any]:
    kind = next(name for name, one in _ARRIVALS.items() if isinstance(arrivals, one))
    return {"kind": kind, **asdict(arrivals)}


def _plan(data: dict[str, Any]) -> Plan:
    arrivals = dict(data["arrivals"])
    service = dict(data["service"])
    if service["hub_suffixes"] is not None:
        service["hub_suffixes"] = tuple(service["hub_suffixes"])

    return Plan(
        **{
            **data,
            "arrivals": _ARRIVALS[arrivals.pop("kind")](**arrivals),
            "service": Service(**service),
            "transports": tuple(data["transports"]),
        }
    )


def _source(source: DeviceSource) -> dict[str, Any]:
    match source:
        case ManifestDevices(path=path, digest=digest, issuer=issuer):
            where = None if issuer is None else asdict(issuer)
            return {"kind": "listed", "path": path, "digest": digest, "issuer": where}
        case GeneratedDevices():
            return {"kind": "issued", **asdict(source)}
        case _:
            return {"kind": "given"}


def _read_source(data: dict[str, Any]) -> DeviceSource:
    fields = dict(data)
    match fields.pop("kind"):
        case "listed":
            issuer = fields["issuer"]
            return ManifestDevices(
                path=Path(fields["path"]),
                digest=fields["digest"],
                issuer=None if issuer is None else Issuer(**_as_paths(issuer)),
            )
        case "issued":
            return GeneratedDevices(**_as_paths(fields))
        case _:
            return UnavailableDevices()


def _as_paths(fields: dict[str, Any]) -> dict[str, Any]:
    names = {"certificate", "private_key", "keys", "key_password_file"}
    return {
        name: Path(value) if name in names and value is not None else value
        for name, value in fields.items()
    }
