"""Settings: argument, else environment, else file, else default; one frozen value comes out.

Every setting has the same three names: `timeout=` in Python, `AIODPS_TIMEOUT` in the environment
and `timeout = 60` in a TOML file. The file is read only where an argument (`config=`) or
`AIODPS_CONFIG` names it. A name that is not known is an error that lists the known ones. Nothing
else of the environment is obeyed: no proxies, no `SSL_CERT_FILE`, no `SSLKEYLOGFILE`, no netrc.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypedDict, Unpack

from aiodps.errors import ConfigurationError
from aiodps.network.trust import Trust
from aiodps.protocol.identifiers import check_endpoint, check_id_scope, check_registration_id
from aiodps.protocol.payloads import AZURE_HUB_SUFFIXES
from aiodps.transports import AUTO, TRANSPORTS
from aiodps.transports.base import TransportFactory

GLOBAL_ENDPOINT = "global.azure-devices-provisioning.net"
"""The device endpoint of Azure's public cloud, the same for every DPS instance."""

LONGEST = 7 * 24 * 3600.0
"""Seconds; a longer time-out is taken for a mistake in units."""

_PREFIX: Final = "AIODPS_"


class SettingsArguments(TypedDict, total=False):
    """The settings as keyword arguments, with the names and meanings of `Settings`.

    One that is left out or None comes from the environment, the file or the default.
    """

    id_scope: str | None
    registration_id: str | None
    endpoint: str | None
    port: int | None
    transport: str | TransportFactory | None
    trust: Trust | str | bytes | Path | None
    certificate: str | Path | None
    private_key: str | Path | None
    key_password_file: str | Path | None
    timeout: float | None
    exchange_timeout: float | None
    hub_suffixes: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a setting is read."""

    check: Callable[[str, object], object]
    """Takes name and value, returns the value as it is kept, or raises `ConfigurationError`."""
    from_text: Callable[[str], object]
    """Reads the value in the environment; `ValueError` if it is not a number."""
    is_path: bool
    """Whether it is meant from where the settings file lies."""


def _rule(
    check: Callable[[str, object], object],
    from_text: Callable[[str], object] = str,
    *,
    is_path: bool = False,
) -> Mapping[str, _Rule]:
    return {"rule": _Rule(check, from_text, is_path)}


def _id_scope(_: str, value: object) -> str:
    return check_id_scope(value)


def _registration_id(_: str, value: object) -> str:
    return check_registration_id(value)


def _endpoint(_: str, value: object) -> str:
    return check_endpoint(value)


def _port(name: str, value: object) -> int:
    if type(value) is int and 0 < value < 2**16:
        return value

    raise _nonsense(name, "it is not a port number from 1 to 65535", value)


def _seconds(name: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and 0 < value <= LONGEST:  # type: ignore[operator, arg-type]  # a number
        return float(value)  # type: ignore[arg-type]  # idem

    raise _nonsense(name, f"it is not a number of seconds over 0 and up to {LONGEST:g}", value)


def _transport(name: str, value: object) -> str | TransportFactory:
    known = (AUTO, *TRANSPORTS)
    if value in known or hasattr(value, "open"):
        return value  # type: ignore[return-value]  # checked by its shape

    raise _nonsense(name, f"it is neither {', '.join(known)} nor a value such as REST(...)", value)


def _trust(name: str, value: object) -> Trust | str | bytes | Path:
    if isinstance(value, Trust | str | bytes | Path) and value:
        return value

    raise _nonsense(name, "it is none of 'azure', 'certifi', 'system', a file, PEM bytes", value)


def _path(name: str, value: object) -> Path:
    if isinstance(value, str | Path) and str(value):
        return Path(value)

    raise _nonsense(name, "it is not a path", value)


def _suffixes(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        suffixes = tuple(value)
        if suffixes and all(isinstance(suffix, str) and suffix for suffix in suffixes):
            return suffixes

    raise _nonsense(name, "it is not a list of domains such as '.azure-devices.net'", value)


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _nonsense(name: str, fault: str, value: object) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}: {fault}",
        setting=name,
        hint=f"correct {name}, or leave it out for the default",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, checked. The documentation's table is this class."""

    id_scope: str | None = field(default=None, metadata=_rule(_id_scope))
    """Id scope of the DPS instance, like `0ne00012ABC`; needed."""
    registration_id: str | None = field(default=None, metadata=_rule(_registration_id))
    """The device's registration id; has to match the certificate's CN, and is taken from it if
    it is not given."""
    endpoint: str = field(default=GLOBAL_ENDPOINT, metadata=_rule(_endpoint))
    """Host name of the service."""
    port: int | None = field(default=None, metadata=_rule(_port, int))
    """TCP port; if it is not given, the transport's own."""
    transport: str | TransportFactory = field(default=AUTO, metadata=_rule(_transport))
    """`rest`, `mqtt`, `auto` (mqtt on asyncio, rest on trio), or in Python a value such as
    `MQTT(port=18883)`."""
    trust: Trust | str | bytes | Path | None = field(
        default=None, metadata=_rule(_trust, is_path=True)
    )
    """CAs for the service's certificate: `azure` (also if it is not given) for Azure's two roots,
    `certifi`, `system`, a PEM file, or in Python PEM bytes."""
    certificate: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the device's certificate, and its intermediates if it has any."""
    private_key: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the device's private key; not needed if it lies in the certificate's file."""
    key_password_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the private key's password in its first line; not needed if the key is not
    encrypted."""
    timeout: float = field(default=90.0, metadata=_rule(_seconds, float))
    """Seconds for everything together."""
    exchange_timeout: float = field(default=30.0, metadata=_rule(_seconds, float))
    """Seconds for one request and its answer."""
    hub_suffixes: tuple[str, ...] = field(
        default=AZURE_HUB_SUFFIXES, metadata=_rule(_suffixes, _comma_list)
    )
    """Domains in which the assigned hub may lie; Azure's own, unless set."""

    @classmethod
    def load(
        cls, *, config: str | Path | None = None, **arguments: Unpack[SettingsArguments]
    ) -> Self:
        """Gather the settings.

        Args:
            config: A TOML file to read; None to read the one named by `AIODPS_CONFIG`, if any.
            **arguments: Settings by name; None stands for "not given".

        Raises:
            ConfigurationError: If a name is unknown, or a value is not allowed; the message
                names both the setting and where it came from.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        sources = {
            **_from_file(config or os.environ.get(f"{_PREFIX}CONFIG")),
            **_from_environment(os.environ),
            **{name: (value, "the argument") for name, value in given.items()},
        }
        return cls(
            **{name: _check(name, value, source) for name, (value, source) in sources.items()}
        )

    def replace(self, **changes: Unpack[SettingsArguments]) -> Self:
        """Return a copy with some settings changed; None stands for "leave as it is"."""
        given = {name: value for name, value in changes.items() if value is not None}
        return dataclasses.replace(
            self, **{name: _check(name, value, "the argument") for name, value in given.items()}
        )


Found = dict[str, tuple[object, str]]


def _from_environment(environment: Mapping[str, str]) -> Found:
    found: Found = {}
    for variable, text in environment.items():
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name == "config" or not text:
            continue

        source = f"the environment variable {variable}"
        try:
            found[name] = (_rule_for(name, source).from_text(text), source)
        except ValueError:
            raise _nonsense(name, f"{variable} is not a number", text) from None

    return found


def _from_file(path: str | Path | None) -> Found:
    if path is None:
        return {}

    file = Path(path)
    try:
        with file.open("rb") as stream:
            document = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ConfigurationError(
            f"the settings file {str(file)!r} cannot be read: {exc}",
            setting="config",
            hint="it has to be a TOML file of settings",
        ) from exc

    source = f"the file {str(file)!r}"
    return {
        name: (_from_folder(file, value) if _rule_for(name, source).is_path else value, source)
        for name, value in document.items()
    }


def _from_folder(file: Path, value: object) -> object:
    """Read a path in a settings file from where the file lies."""
    if isinstance(value, str) and value not in Trust.KEYWORDS:
        return str(file.parent / value)

    return value


def _check(name: str, value: object, source: str) -> Any:
    return _rule_for(name, source).check(name, value)


def _rule_for(name: str, source: str) -> _Rule:
    rules = {one.name: one.metadata["rule"] for one in dataclasses.fields(Settings)}
    if name in rules:
        return rules[name]  # type: ignore[no-any-return]  # put there by `_setting`

    raise ConfigurationError(
        f"{source} sets {name!r}, which is not a setting",
        setting=name,
        hint=f"known settings: {', '.join(sorted(rules))}",
    )
