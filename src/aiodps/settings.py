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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

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

_PREFIX = "AIODPS_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, checked."""

    id_scope: str | None = None
    """Id scope of the DPS instance, like `0ne00012ABC`. Needed."""
    registration_id: str | None = None
    """The device's registration id; None to take the certificate's CN."""
    endpoint: str = GLOBAL_ENDPOINT
    """Host name of the service."""
    port: int | None = None
    """TCP port; None for the transport's own: 443 for rest, 8883 for mqtt."""
    transport: str | TransportFactory = "auto"
    """"rest", "mqtt", "auto" (mqtt on asyncio, rest on trio), or a value such as `MQTT(...)`."""
    trust: Trust | str | bytes | Path | None = None
    """CAs for the service's certificate: None or "azure" for Azure's two roots, "certifi",
    "system", a PEM file, or PEM bytes."""
    certificate: Path | None = None
    """File with the device's certificate, and its intermediates if it has any."""
    private_key: Path | None = None
    """File with the device's private key; None if it lies in the certificate's file."""
    key_password_file: Path | None = None
    """File with the private key's password (first line); None if the key is not encrypted."""
    timeout: float = 90.0
    """Seconds for everything together."""
    exchange_timeout: float = 30.0
    """Seconds for one request and its answer."""
    hub_suffixes: tuple[str, ...] = AZURE_HUB_SUFFIXES
    """Domains in which an assigned hub may lie; Azure's own, unless set."""

    @classmethod
    def load(cls, *, config: str | Path | None = None, **arguments: Any) -> Self:
        """Gather the settings.

        Args:
            config: A TOML file to read; None to read the one named by `AIODPS_CONFIG`, if any.
            **arguments: Settings by name; None stands for "not given".

        Raises:
            ConfigurationError: If a name is unknown, or a value makes no sense; the message
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

    def replace(self, **changes: Any) -> Self:
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

        reader = _TEXT_READERS.get(name, str)
        try:
            found[name] = (reader(text), f"the environment variable {variable}")
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

    return {
        name: (_beside(file, value) if name in _PATHS else value, f"the file {str(file)!r}")
        for name, value in document.items()
    }


def _beside(file: Path, value: object) -> object:
    """Paths in a settings file are meant from where the file lies."""
    if isinstance(value, str) and value not in Trust.KEYWORDS:
        return str(file.parent / value)

    return value


def _check(name: str, value: object, source: str) -> Any:
    check = _CHECKS.get(name)
    if check is None:
        known = ", ".join(sorted(_CHECKS))
        raise ConfigurationError(
            f"{source} sets {name!r}, which is not a setting",
            setting=name,
            hint=f"known settings: {known}",
        )

    return check(name, value)


def _host(_: str, value: object) -> str:
    return check_endpoint(value)


def _id_scope(_: str, value: object) -> str:
    return check_id_scope(value)


def _registration_id(_: str, value: object) -> str:
    return check_registration_id(value)


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


def _nonsense(name: str, fault: str, value: object) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}: {fault}",
        setting=name,
        hint=f"correct {name}, or leave it out for the default",
    )


_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "id_scope": _id_scope,
    "registration_id": _registration_id,
    "endpoint": _host,
    "port": _port,
    "transport": _transport,
    "trust": _trust,
    "certificate": _path,
    "private_key": _path,
    "key_password_file": _path,
    "timeout": _seconds,
    "exchange_timeout": _seconds,
    "hub_suffixes": _suffixes,
}

_PATHS = frozenset({"certificate", "private_key", "key_password_file", "trust"})

_TEXT_READERS: dict[str, Callable[[str], object]] = {
    "port": int,
    "timeout": float,
    "exchange_timeout": float,
    "hub_suffixes": lambda text: [part.strip() for part in text.split(",")],
}
