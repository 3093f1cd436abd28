"""The options of `aiodps fleet run`: turned into a run, or refused in words."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Spacing
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.run_file import RunFile, environment, options_as_json
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions
from aiodps.settings import Settings

DEFAULT_DEVICES: Final = 100
DEFAULT_CONCURRENCY: Final = 50
_WITH_EMULATOR: Final = ("devices", "assign_after", "retry_after")
_WITH_MANIFEST: Final = (
    *("manifest", "id_scope", "endpoint", "rest_port", "mqtt_port", "trust", "hub_suffixes"),
    *("ca", "ca_key", "ca_key_password_file", "keys_out"),
)
_LONG_AGO: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments:
    """What was typed of the options that say what a run is; None where nothing was typed."""

    emulator: bool
    devices: int | None
    assign_after: float | None
    retry_after: int | None
    manifest: str | None
    id_scope: str | None
    endpoint: str | None
    rest_port: int | None
    mqtt_port: int | None
    trust: str | None
    hub_suffixes: tuple[str, ...]
    ca: str | None
    ca_key: str | None
    ca_key_password_file: str | None
    keys_out: str | None
    transport: str
    concurrency: int | None
    rate: float | None
    arrivals: Spacing
    ramp: float
    burst: bool
    limit_rate: float | None
    timeout: float
    min_poll: float
    seed: int | None
    shards: int


def run_of(typed: RunArguments, folder: Path, *, apart: bool) -> RunFile:
    """Make a run of what was typed.

    Args:
        typed: The options.
        folder: The run folder.
        apart: Whether its shards run without knowing of each other.

    Raises:
        ConfigurationError: If a value cannot be used, or two contradict each other.
    """
    _refuse_mixture(typed)
    source = _generated(typed, folder) if typed.emulator else _listed(typed, folder)
    options = _options(typed, apart=apart)
    return RunFile(
        run_id=_run_id(options, source) if apart else secrets.token_hex(8),
        options=options,
        source=source,
        command=shlex.join(["aiodps", *sys.argv[1:]]),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment(),
    )


def shard_of(text: str | None, shards: int) -> tuple[int | None, int]:
    """Read `--shard I/N`: which shard to run here, None for all; and how many there are.

    Raises:
        ConfigurationError: If there is no such shard.
    """
    if text is None:
        return None, shards

    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if found is not None and int(found[1]) < int(found[2]) and shards == 1:
        return int(found[1]), int(found[2])

    raise ConfigurationError(
        f"the shard cannot be {ascii(text)[:40]}",
        setting="shard",
        hint="give --shard I/N with I from 0 to N-1, and no --shards",
    )


def check_start(at: float | None) -> None:
    """Refuse a start that has passed.

    Raises:
        ConfigurationError: If it has passed more than an hour ago.
    """
    if at is not None and not at > time.time() - _LONG_AGO:
        raise ConfigurationError(
            f"{at!r} passed long ago",
            setting="start_at",
            hint="give seconds since 1970, as `date +%s -d '+1 min'` does",
        )


def _refuse_mixture(typed: RunArguments) -> None:
    """Refuse options that have no effect here: whoever typed them expected one."""
    if not typed.emulator and typed.manifest is None:
        raise ConfigurationError(
            "there are no devices",
            setting="manifest",
            hint="give --manifest FILE, or --emulator to try it on this machine",
        )

    for name in _WITH_MANIFEST if typed.emulator else _WITH_EMULATOR:
        if getattr(typed, name) not in {None, ()}:
            raise ConfigurationError(
                f"--{name.replace('_', '-')} does not go with "
                + ("--emulator" if typed.emulator else "--manifest"),
                setting=name,
                hint="leave one of them out",
            )


def _options(typed: RunArguments, *, apart: bool) -> RunOptions:
    ports = {"rest": typed.rest_port, "mqtt": typed.mqtt_port}
    seed = typed.seed
    if seed is None:
        # Shards that run apart have to agree without talking.
        seed = 0 if apart else secrets.randbits(32)

    return RunOptions(
        settings=_settings(typed),
        ports={name: port for name, port in ports.items() if port is not None},
        min_poll_interval=typed.min_poll,
        transports=tuple(word.strip() for word in typed.transport.split(",")),
        arrivals=_arrivals(typed),
        limit_rate=typed.limit_rate,
        seed=seed,
        shards=typed.shards,
        emulator=EmulatorOptions(assign_after=typed.assign_after, retry_after=typed.retry_after)
        if typed.emulator
        else None,
    )


def _settings(typed: RunArguments) -> Settings:
    """Say where the service is; an emulator tells its ports and its CA when it has started."""
    if typed.emulator:
        return Settings().replace(
            id_scope="0ne00000000", endpoint="127.0.0.1", timeout=typed.timeout
        )

    return Settings().replace(
        id_scope=typed.id_scope,
        endpoint=typed.endpoint,
        trust=typed.trust,
        hub_suffixes=typed.hub_suffixes or None,
        timeout=typed.timeout,
    )


def _arrivals(typed: RunArguments) -> Arrivals:
    rate, concurrency = typed.rate, typed.concurrency
    if typed.burst and rate is not None:
        raise ConfigurationError(
            "devices arrive at a rate or in a burst, not both",
            setting="rate",
            hint="leave out --rate or --burst",
        )

    if rate is None and (typed.ramp or typed.arrivals != "constant"):
        raise ConfigurationError(
            "--ramp and --arrivals shape a --rate, and there is none",
            setting="rate",
            hint="give --rate R",
        )

    if typed.burst:
        return Burst(concurrency=concurrency)

    if rate is None:
        return Closed(concurrency=DEFAULT_CONCURRENCY if concurrency is None else concurrency)

    return Open(rate=rate, spacing=typed.arrivals, ramp=typed.ramp, concurrency=concurrency)


def _generated(typed: RunArguments, folder: Path) -> DeviceSource:
    count = DEFAULT_DEVICES if typed.devices is None else typed.devices
    return LocalEmulator.in_folder(folder).devices(count)


def _listed(typed: RunArguments, folder: Path) -> DeviceSource:
    manifest = Path(typed.manifest or "")
    given = {"ca": typed.ca, "ca_key": typed.ca_key, "keys_out": typed.keys_out}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) not in {0, len(given)}:
        raise ConfigurationError(
            f"--{missing[0].replace('_', '-')} is missing",
            setting=missing[0],
            hint="to issue certificates give --ca, --ca-key and --keys-out, or none of them",
        )

    if typed.ca is None or typed.ca_key is None or typed.keys_out is None:
        return ManifestDevices.read(manifest)

    keys = Path(typed.keys_out).absolute()
    if keys.is_relative_to(folder.absolute()):
        raise ConfigurationError(
            "private keys would lie in the run folder, which may be shown to anybody",
            setting="keys_out",
            hint="give --keys-out a folder outside of --out",
        )

    password = typed.ca_key_password_file
    issuer = Issuer(
        certificate=Path(typed.ca).absolute(),
        private_key=Path(typed.ca_key).absolute(),
        keys=keys,
        key_password_file=None if password is None else Path(password).absolute(),
    )
    return ManifestDevices.read(manifest, issuer=issuer)


def _run_id(options: RunOptions, source: DeviceSource) -> str:
    """Name a run by what it is, so that shards that run apart name it alike.

    Where the CA file lies may differ from machine to machine.
    """
    what = options_as_json(options)
    what["settings"].pop("trust", None)
    text = json.dumps([what, *source.names()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
