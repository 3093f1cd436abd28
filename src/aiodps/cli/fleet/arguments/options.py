"""Conversion of the options of `aiodps fleet run` into a run."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
import sys
import time
from pathlib import Path
from typing import Final

from aiodps.attestation.issuance.saving import check_keys_folder
from aiodps.cli.fleet.arguments.arrivals import (
    arrivals_from_arguments,
    check_stages,
    generated_count,
)
from aiodps.cli.fleet.arguments.run_options import RunArguments
from aiodps.errors import ConfigurationError
from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.plan.devices import DeviceSource
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.run_file import RunFile, options_as_json
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions
from aiodps.fleet.run.launch import start_has_passed
from aiodps.settings import Settings
from aiodps.transports.base import SessionName

_WITH_EMULATOR: Final = ("devices", "attestation", "duration", "assign_after", "retry_after")
_WITH_MANIFEST: Final = (
    *("manifest", "id_scope", "endpoint", "rest_port", "mqtt_port", "trust", "hub_suffixes"),
    *(
        "address",
        "proxy",
        "proxy_password_file",
        "config",
        "ignore_columns",
        "ca",
        "ca_key",
        "ca_key_password_file",
        "group_key_file",
    ),
)
_OF_SERVICE: Final = (
    *("id_scope", "endpoint", "address", "proxy", "proxy_password_file", "trust"),
    *("hub_suffixes", "timeout", "exchange_timeout", "mqtt_session"),
)
"""Settings that a fleet takes from the environment, too; all others are those of one device."""


def run_from_arguments(arguments: RunArguments, folder: Path, *, independent: bool) -> RunFile:
    """Return the run that command line options define.

    Args:
        arguments: The options.
        folder: The run folder.
        independent: Whether each shard is started by a command of its own.

    Raises:
        ConfigurationError: If a value cannot be used, or two contradict each other.
    """
    _check_combinations(arguments)
    keys = _keys_folder(arguments, folder)
    options = _options(arguments, keys, independent=independent)
    if arguments.emulator:
        count = generated_count(arguments, options)
        emulator = LocalEmulator.for_run(folder)
        with_keys = arguments.attestation == "symmetric-key"
        source: DeviceSource = emulator.devices(count, with_keys=with_keys)
    else:
        source = _manifest_devices(arguments, keys)
        check_stages(options, len(source.registration_ids()))

    if options.keys_out is not None:
        check_keys_folder(options.keys_out)

    return RunFile(
        run_id=_run_id(options, source) if independent else secrets.token_hex(8),
        options=options,
        source=source,
        command=shlex.join(["aiodps", *sys.argv[1:]]),
    )


def parse_shard(text: str | None, shards: int) -> tuple[int | None, int]:
    """Parse `--shard I/N`: the shard to run here, None for all; and the number of shards.

    Raises:
        ConfigurationError: If it is invalid.
    """
    if text is None:
        return None, shards

    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if found is not None and int(found[1]) < int(found[2]) and shards == 1:
        return int(found[1]), int(found[2])

    raise ConfigurationError(
        f"{ascii(text)[:40]} is not a valid shard",
        setting="shard",
        hint="give --shard I/N with I from 0 to N-1, without --shards",
    )


def check_start(at: float | None) -> None:
    """Check `--start-at`.

    Raises:
        ConfigurationError: If it has passed: the shards that can keep it would start without
            this one.
    """
    if at is not None and not at > time.time():
        raise start_has_passed(at)


def _check_combinations(arguments: RunArguments) -> None:
    """Check that every option has an effect together with the others."""
    if not arguments.emulator and arguments.manifest is None:
        raise ConfigurationError(
            "there are no devices",
            setting="manifest",
            hint="give --manifest FILE, or --emulator for a test on this machine",
        )

    for name in _WITH_MANIFEST if arguments.emulator else _WITH_EMULATOR:
        value = getattr(arguments, name)
        if value is not None and value is not False and value != ():
            raise ConfigurationError(
                f"--{name.replace('_', '-')} cannot be used with "
                + ("--emulator" if arguments.emulator else "--manifest"),
                setting=name,
                hint="leave one of them out",
            )


def _keys_folder(arguments: RunArguments, folder: Path) -> Path | None:
    """Return the folder for issued certificates; None if there is none."""
    if arguments.keys_out is None:
        return None

    keys = Path(arguments.keys_out).absolute()
    if keys.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            "private keys must not be written to the run folder, which holds no secrets",
            setting="keys_out",
            hint="give a folder for --keys-out that is outside of --out",
        )

    if arguments.issue is None and arguments.ca is None:
        raise ConfigurationError(
            "--keys-out is for certificates that are issued, and none are",
            setting="keys_out",
            hint="give --ca and --ca-key, or --issue; or leave out --keys-out",
        )

    return keys


def _options(arguments: RunArguments, keys: Path | None, *, independent: bool) -> RunOptions:
    https = arguments.rest_port
    ports = {"rest": https, "mqtt": arguments.mqtt_port, "mqtt-ws": https}
    seed = arguments.seed
    if seed is None:
        # Independent shards need the same seed, and cannot exchange one.
        seed = 0 if independent else secrets.randbits(32)

    return RunOptions(
        settings=_settings(arguments),
        ports={name: port for name, port in ports.items() if port is not None},
        min_poll_interval=arguments.min_poll,
        transports=tuple(word.strip() for word in arguments.transport.split(",")),
        arrivals=arrivals_from_arguments(arguments),
        limit_rate=arguments.limit_rate,
        seed=seed,
        shards=arguments.shards,
        journal=arguments.journal,
        force_memory_journal=arguments.force_memory_journal,
        keys_out=keys if arguments.issue else None,
        emulator=EmulatorOptions(
            assign_after=arguments.assign_after, retry_after=arguments.retry_after
        )
        if arguments.emulator
        else None,
    )


def _settings(arguments: RunArguments) -> Settings:
    """Return the settings; the emulator's ports and CA are known only when it has started."""
    session: SessionName | None = "native" if arguments.native else None
    if arguments.emulator:
        return Settings().replace(
            id_scope="0ne00000000",
            endpoint="127.0.0.1",
            mqtt_session=session,
            timeout=arguments.timeout,
            issue=arguments.issue,
        )

    password = arguments.proxy_password_file
    found = Settings.load(
        config=arguments.config,
        id_scope=arguments.id_scope,
        endpoint=arguments.endpoint,
        address=arguments.address,
        proxy=arguments.proxy,
        proxy_password_file=password,
        mqtt_session=session,
        trust=arguments.trust,
        hub_suffixes=arguments.hub_suffixes or None,
        timeout=arguments.timeout,
    )
    of_service = {name: getattr(found, name) for name in _OF_SERVICE}
    if found.proxy_password_file is not None:
        of_service["proxy_password_file"] = found.proxy_password_file.absolute()

    return Settings(**of_service, issue=arguments.issue)  # type: ignore[arg-type]  # made one of it


def _manifest_devices(arguments: RunArguments, keys: Path | None) -> DeviceSource:
    manifest = Path(arguments.manifest or "")
    given = {"ca": arguments.ca, "ca_key": arguments.ca_key, "keys_out": arguments.keys_out}
    missing = [name for name, value in given.items() if value is None]
    if missing and (arguments.ca or arguments.ca_key):
        raise ConfigurationError(
            f"--{missing[0].replace('_', '-')} is missing",
            setting=missing[0],
            hint="to issue certificates, give --ca, --ca-key and --keys-out; else none of them",
        )

    if arguments.group_key_file is not None:
        if arguments.ca is not None:
            raise ConfigurationError(
                "--ca and --group-key-file are two ways to give devices a credential",
                setting="group_key_file",
                hint="leave one of them out",
            )

        return ManifestDevices.read(
            manifest,
            group_key_file=Path(arguments.group_key_file).absolute(),
            ignore_columns=arguments.ignore_columns,
        )

    if arguments.ca is None or arguments.ca_key is None or keys is None:
        return ManifestDevices.read(manifest, ignore_columns=arguments.ignore_columns)

    password = arguments.ca_key_password_file
    issuer = Issuer(
        certificate=Path(arguments.ca).absolute(),
        private_key=Path(arguments.ca_key).absolute(),
        keys=keys,
        key_password_file=None if password is None else Path(password).absolute(),
    )
    return ManifestDevices.read(manifest, issuer=issuer, ignore_columns=arguments.ignore_columns)


def _run_id(options: RunOptions, source: DeviceSource) -> str:
    """Derive the id of a run from its content, so that independent shards have the same one.

    The paths of the CA file, of the proxy's password and of the keys are left out: they may differ
    between machines.
    """
    content = options_as_json(options)
    for name in ("trust", "proxy_password_file"):
        content["settings"].pop(name, None)

    content.pop("keys_out")
    text = json.dumps([content, *source.registration_ids()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
