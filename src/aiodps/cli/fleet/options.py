"""What was typed after `aiodps fleet run`, turned into a run, or refused in words."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.run_file import RunFile, environment
from aiodps.fleet.plan.spec import Plan, Service, default_limit

DEFAULT_DEVICES: Final = 100
DEFAULT_CONCURRENCY: Final = 50
_REHEARSED: Final = ("devices", "assign_after", "retry_after")
_IN_EARNEST: Final = (
    *("manifest", "id_scope", "endpoint", "rest_port", "mqtt_port", "trust", "hub_suffixes"),
    *("ca", "ca_key", "ca_key_password_file", "keys_out"),
)
_FILES: Final = ("manifest", "trust", "ca", "ca_key", "ca_key_password_file", "keys_out")
_LONG_AGO: Final = 3600.0

Options = Mapping[str, Any]


def run_of(options: Options, folder: Path, transports: tuple[str, ...], *, apart: bool) -> RunFile:
    """Make a run of what was typed.

    Args:
        options: The options of `aiodps fleet run` by name.
        folder: The run folder.
        transports: The transports, as they were typed.
        apart: Whether its shards run without knowing of each other.

    Raises:
        ConfigurationError: If the options contradict each other, or one makes no sense.
    """
    emulated = options["emulator"]
    _refuse_mixture(options, emulated=emulated)
    seed = options["seed"]
    if seed is None:
        # Shards that run apart have to agree without talking.
        seed = 0 if apart else secrets.randbits(32)

    service = _service(options)
    limit = options["limit_rate"]
    source = _rehearsed(options, folder) if emulated else _listed(options, folder)
    plan = Plan(
        run_id=_run_id({**options, "transport": transports}, source)
        if apart
        else secrets.token_hex(8),
        service=service,
        transports=transports,
        arrivals=_arrivals(options),
        limit_rate=default_limit(service) if limit is None else limit or None,
        seed=seed,
        shards=options["shards"],
    )
    return RunFile(
        plan=plan,
        source=source,
        command=shlex.join(["aiodps", *sys.argv[1:]]),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        local_emulator=_emulator(options) if emulated else None,
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
        ConfigurationError: If it has.
    """
    if at is not None and not at > time.time() - _LONG_AGO:
        raise ConfigurationError(
            f"{at!r} passed long ago",
            setting="start_at",
            hint="give seconds since 1970, as `date +%s -d '+1 min'` does",
        )


def _refuse_mixture(options: Options, *, emulated: bool) -> None:
    """Refuse options that say nothing here: whoever typed them meant something."""
    if not emulated and options["manifest"] is None:
        raise ConfigurationError(
            "there are no devices",
            setting="manifest",
            hint="give --manifest FILE, or --emulator to rehearse",
        )

    if not emulated and options["id_scope"] is None:
        raise ConfigurationError(
            "no id scope was given",
            setting="id_scope",
            hint="give --id-scope; it stands on the overview page of the DPS instance",
        )

    foreign = _IN_EARNEST if emulated else _REHEARSED
    for name in foreign:
        if options[name] not in {None, ()}:
            raise ConfigurationError(
                f"--{name.replace('_', '-')} does not go with "
                + ("--emulator" if emulated else "--manifest"),
                setting=name,
                hint="leave one of them out",
            )


def _arrivals(options: Options) -> Arrivals:
    rate, burst, concurrency = options["rate"], options["burst"], options["concurrency"]
    if burst and rate is not None:
        raise ConfigurationError(
            "devices come at a rate or in a burst, not both",
            setting="rate",
            hint="leave out --rate or --burst",
        )

    if rate is None and (options["ramp"] or options["arrivals"] != "constant"):
        raise ConfigurationError(
            "--ramp and --arrivals say how a --rate is reached, and there is none",
            setting="rate",
            hint="give --rate R",
        )

    if burst:
        return Burst(concurrency=concurrency)

    if rate is None:
        return Closed(concurrency=DEFAULT_CONCURRENCY if concurrency is None else concurrency)

    return Open(
        rate=rate,
        spacing=options["arrivals"],
        ramp=options["ramp"],
        concurrency=concurrency,
    )


def _service(options: Options) -> Service:
    """Say which service; for a rehearsal, the emulator fills in where it is."""
    patience = {"timeout": options["timeout"], "min_poll_interval": options["min_poll"]}
    if options["emulator"]:
        return Service(id_scope="0ne00000000", endpoint="127.0.0.1", **patience)

    named = {"rest": options["rest_port"], "mqtt": options["mqtt_port"]}
    endpoint = {"endpoint": options["endpoint"]} if options["endpoint"] else {}
    return Service(
        id_scope=options["id_scope"],
        **endpoint,
        ports={name: port for name, port in named.items() if port is not None},
        trust=options["trust"],
        hub_suffixes=options["hub_suffixes"] or None,
        **patience,
    )


def _rehearsed(options: Options, folder: Path) -> DeviceSource:
    count = options["devices"]
    return LocalEmulator.in_folder(folder).devices(DEFAULT_DEVICES if count is None else count)


def _listed(options: Options, folder: Path) -> DeviceSource:
    given = {name: options[name] for name in ("ca", "ca_key", "keys_out")}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) not in {0, len(given)}:
        raise ConfigurationError(
            f"--{missing[0].replace('_', '-')} is missing",
            setting=missing[0],
            hint="to issue certificates give --ca, --ca-key and --keys-out, or none of them",
        )

    issuer = None if missing else _issuer(options, folder)
    return ManifestDevices.read(Path(options["manifest"]), issuer=issuer)


def _issuer(options: Options, folder: Path) -> Issuer:
    keys = Path(options["keys_out"]).absolute()
    if keys.is_relative_to(folder.absolute()):
        raise ConfigurationError(
            "keys would lie in the run folder, which may be shown to anybody",
            setting="keys_out",
            hint="give --keys-out a folder outside of --out",
        )

    password = options["ca_key_password_file"]
    return Issuer(
        certificate=Path(options["ca"]).absolute(),
        private_key=Path(options["ca_key"]).absolute(),
        keys=keys,
        key_password_file=None if password is None else Path(password).absolute(),
    )


def _emulator(options: Options) -> dict[str, Any]:
    return {
        "assign-after": options["assign_after"],
        "retry-after": options["retry_after"],
    }


def _run_id(options: Options, source: DeviceSource) -> str:
    """Name a run by what it is, so that shards that run apart name it alike.

    Where files lie may differ from machine to machine.
    """
    what = sorted((name, value) for name, value in options.items() if name not in _FILES)
    return hashlib.sha256(repr((what, list(source.names()))).encode()).hexdigest()[:16]
