"""`run.json`: options, device source and environment of a run, so that it can be resumed."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Stage, Staged
from aiodps.fleet.plan.devices import (
    DeviceSlice,
    DeviceSource,
    GeneratedDevices,
    UnavailableDevices,
)
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.run_folder import check_run_folder
from aiodps.fleet.plan.spec import MAX_SHARDS, EmulatorOptions, RunOptions
from aiodps.settings import Settings

NAME: Final = "run.json"
DRAFT: Final = f".{NAME}"
"""The draft that is written first; a process that is killed while it writes leaves it behind."""
VERSION: Final = 3
"""Of the file format; 2 has `options` in place of `plan`, 3 has `evaluation`."""
_ARRIVALS: Final[Mapping[str, type[Closed | Open | Staged | Burst]]] = {
    "closed": Closed,
    "open": Open,
    "staged": Staged,
    "burst": Burst,
}
_PACKAGES: Final = ("aiodps", "httpx", "h11", "aiomqtt", "paho-mqtt", "anyio", "cryptography")


_UNREADABLE: Final = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RecursionError),
    *(TypeError, ValueError),
)
"""Errors that a file which was tampered with may cause."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, str]:
    """Return the versions and the machine that a run was made with."""
    facts = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": str(_processors()),
    }
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            facts[name] = version(name)

    return facts


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """The content of `run.json`."""

    run_id: str
    options: RunOptions
    source: DeviceSource = field(repr=False)
    command: str
    """The command line; it names files, and holds no secret."""
    created: str = field(default_factory=_now)
    """Date and time of creation, in UTC."""
    environment: Mapping[str, str] = field(default_factory=environment)
    evaluation: Evaluation = field(default_factory=Evaluation)
    """How the results are evaluated."""
    local_shards: tuple[int, ...] | None = None
    """Shards that run from this folder; None for all. The others run on other machines, and must
    not run here when the run is resumed."""

    def write(self, folder: Path) -> None:
        """Write the file to a run folder.

        Raises:
            OSError: If it cannot be written.
        """
        data = {
            "version": VERSION,
            "command": self.command,
            "created": self.created,
            "run_id": self.run_id,
            "options": options_as_json(self.options),
            "source": _source_as_json(self.source),
            "environment": self.environment,
            "evaluation": asdict(self.evaluation),
            "local_shards": self.local_shards,
        }
        draft = folder / DRAFT
        draft.write_text(json.dumps(data, indent=1, default=str) + "\n", encoding="utf-8")
        draft.replace(folder / NAME)

    @classmethod
    def read(cls, folder: Path) -> RunFile:
        """Read the file of a run folder.

        Raises:
            ConfigurationError: If the folder has no run that can be read.
        """
        check_run_folder(folder)
        try:
            data = _read(folder)
            _check_facts(data)
            return cls(
                run_id=data["run_id"],
                options=_read_options(data["options"]),
                source=_read_source(data["source"]),
                command=data["command"],
                created=data["created"],
                environment=data["environment"],
                evaluation=Evaluation(**data["evaluation"]),
                local_shards=None if data["local_shards"] is None else tuple(data["local_shards"]),
            )
        except ConfigurationError:
            raise
        except _UNREADABLE as exc:
            reason = f"{NAME}: {exc.strerror}" if isinstance(exc, OSError) else exc
            raise ConfigurationError(
                f"the folder {str(folder)!r} has no run that can be read: {reason}",
                setting="folder",
                hint="give a folder that `aiodps fleet run --out` created",
            ) from exc


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
    if data["version"] != VERSION:
        raise ValueError(f"{NAME} has version {data['version']}, not {VERSION}")

    return data


def _check_facts(data: dict[str, Any]) -> None:
    """Check what only the results show, and which shards run here."""
    facts = [data["run_id"], data["command"], *data["environment"], *data["environment"].values()]
    if not all(isinstance(each, str) for each in facts):
        raise TypeError(f"{NAME} has a fact that is not a string")

    if datetime.fromisoformat(data["created"]).tzinfo is None:
        raise ValueError(f"{NAME} was created at a time without a time zone")

    shards = data["local_shards"]
    if shards is not None and not {*shards} <= {*range(MAX_SHARDS)}:
        raise ValueError(f"{NAME} has local shards that are none")


def options_as_json(options: RunOptions) -> dict[str, Any]:
    """Return options as in the file; settings that have their defaults are left out."""
    kind = next(name for name, one in _ARRIVALS.items() if isinstance(options.arrivals, one))
    settings = {
        one.name: value
        for one in fields(Settings)
        if (value := getattr(options.settings, one.name)) != one.default
    }
    if options.settings.issue is not None:
        settings["issue"] = options.settings.issue.type

    return {
        **asdict(options),
        "settings": settings,
        "keys_out": None if options.keys_out is None else str(options.keys_out),
        "arrivals": {"kind": kind, **asdict(options.arrivals)},
    }


def _read_options(data: dict[str, Any]) -> RunOptions:
    emulator = data["emulator"]
    return RunOptions(
        **{
            **data,
            "settings": Settings().replace(**data["settings"]),
            "arrivals": _read_arrivals(data["arrivals"]),
            "transports": tuple(data["transports"]),
            "keys_out": None if data.get("keys_out") is None else Path(data["keys_out"]),
            "emulator": None if emulator is None else EmulatorOptions(**emulator),
        }
    )


def _read_arrivals(data: dict[str, Any]) -> Arrivals:
    fields = dict(data)
    kind = _ARRIVALS[fields.pop("kind")]
    if "stages" in fields:
        fields["stages"] = tuple(Stage(**stage) for stage in fields["stages"])

    return kind(**fields)


def _source_as_json(source: DeviceSource) -> dict[str, Any]:
    match source:
        case ManifestDevices(path=path, digest=digest, issuer=issuer):
            return {
                "kind": "manifest",
                "path": path,
                "digest": digest,
                "issuer": None if issuer is None else asdict(issuer),
                "group_key_file": source.group_key_file,
                "ignore_columns": source.ignore_columns,
            }
        case GeneratedDevices():
            return {"kind": "generated", **asdict(source)}
        case DeviceSlice(devices=devices, begin=begin, count=count):
            whole = _source_as_json(devices)
            return {"kind": "slice", "devices": whole, "begin": begin, "count": count}
        case _:
            return {"kind": "in_memory"}


def _read_source(data: dict[str, Any]) -> DeviceSource:
    fields = dict(data)
    match fields.pop("kind"):
        case "manifest":
            issuer = fields.pop("issuer")
            ca = None if issuer is None else Issuer(**_as_paths(issuer))
            return ManifestDevices(**_as_paths(fields), issuer=ca)
        case "slice":
            return DeviceSlice(**{**fields, "devices": _read_source(fields["devices"])})
        case "generated":
            return GeneratedDevices(**_as_paths(fields))
        case _:
            return UnavailableDevices()


def _as_paths(fields: dict[str, Any]) -> dict[str, Any]:
    names = {"path", "certificate", "private_key", "keys", "key_password_file", "group_key_file"}
    return {
        name: Path(value) if name in names and value is not None else value
        for name, value in fields.items()
    }
