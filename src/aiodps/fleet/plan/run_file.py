"""`run.json`: what a run is, so that it can be resumed, and what it was made with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Burst, Closed, Open
from aiodps.fleet.plan.devices import DeviceSource, GeneratedDevices, UnavailableDevices
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions
from aiodps.settings import Settings

NAME: Final = "run.json"
VERSION: Final = 2
"""Of the file; 2 has `options` for `plan` and `rehearsal`."""
_ARRIVALS: Final[Mapping[str, type[Closed | Open | Burst]]] = {
    "closed": Closed,
    "open": Open,
    "burst": Burst,
}
_PACKAGES: Final = ("aiodps", "httpx", "h11", "aiomqtt", "paho-mqtt", "anyio", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A run as it stands in its folder."""

    run_id: str
    options: RunOptions
    source: DeviceSource = field(repr=False)
    command: str
    """What was typed; it names files, and holds no secret."""
    created: str
    """When, in UTC."""
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
            "run_id": self.run_id,
            "options": options_as_json(self.options),
            "source": _source(self.source),
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
                run_id=data["run_id"],
                options=_read_options(data["options"]),
                source=_read_source(data["source"]),
                command=data["command"],
                created=data["created"],
                environment=data["environment"],
                here=None if data["here"] is None else tuple(data["here"]),
            )
        except (OSError, ValueError, LookupError, TypeError) as exc:
            raise ConfigurationError(
                f"there is no run that can be read in {str(folder)!r}: {exc}",
                setting="folder",
                hint="give the folder that `aiodps fleet run --out` made",
            ) from exc


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
    if data["version"] != VERSION:
        raise ValueError(f"it has version {data['version']}, not {VERSION}")

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


def options_as_json(options: RunOptions) -> dict[str, Any]:
    """Return options as they stand in the file; settings that have their defaults are left out."""
    kind = next(name for name, one in _ARRIVALS.items() if isinstance(options.arrivals, one))
    settings = {
        one.name: value
        for one in fields(Settings)
        if (value := getattr(options.settings, one.name)) != one.default
    }
    return {
        **asdict(options),
        "settings": settings,
        "arrivals": {"kind": kind, **asdict(options.arrivals)},
    }


def _read_options(data: dict[str, Any]) -> RunOptions:
    arrivals, emulator = dict(data["arrivals"]), data["emulator"]
    return RunOptions(
        **{
            **data,
            "settings": Settings().replace(**data["settings"]),
            "arrivals": _ARRIVALS[arrivals.pop("kind")](**arrivals),
            "transports": tuple(data["transports"]),
            "emulator": None if emulator is None else EmulatorOptions(**emulator),
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
