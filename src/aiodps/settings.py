"""Settings, from arguments, the environment, a file and defaults, as one frozen value.

Every setting has the same three names: `timeout=` in Python, `AIODPS_TIMEOUT` in the environment
and `timeout = 60` in a TOML file, in this order of precedence. The file is read only if `config=`
or `AIODPS_CONFIG` names it. An unknown name is an error that lists the known ones; in the
environment, where others may set variables, only if it resembles a known one. Nothing else in the
environment is obeyed: no `HTTPS_PROXY`, no `SSL_CERT_FILE`, no `SSLKEYLOGFILE`, no netrc.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self, TypedDict, Unpack

from aiodps.argument_types import check_type
from aiodps.attestation.issuance.key_spec import IssuedKeyType, KeySpec
from aiodps.errors import ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read
from aiodps.input_files.text import parse_toml
from aiodps.key_text import HIDDEN, is_key, shown
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.protocol.identifiers import (
    check_endpoint,
    check_id_scope,
    check_port,
    check_registration_id,
)
from aiodps.protocol.payloads import AZURE_HUB_SUFFIXES
from aiodps.transports import AUTO, TRANSPORTS
from aiodps.transports.base import SessionName, TransportFactory, check_session

GLOBAL_ENDPOINT = "global.azure-devices-provisioning.net"
"""The device endpoint of Azure's public cloud, the same for every DPS instance."""

MAX_TIMEOUT = 7 * 24 * 3600.0
"""Seconds; a longer time-out is considered a mistake in the unit."""

_PREFIX: Final = "AIODPS_"
_EMULATOR: Final = "emulator_"
"""Begins the names of the options of `aiodps emulator` in the environment."""
_CONFIG: Final = "config"
_ARGUMENT: Final = "the argument"


class SettingsArguments(TypedDict, total=False):
    """The settings as keyword arguments, with the names and meanings of `Settings`.

    One that is missing or None comes from the environment, the file or the default.
    """

    id_scope: str | None
    registration_id: str | None
    endpoint: str | None
    port: int | None
    address: str | None
    proxy: Proxy | str | None
    proxy_password_file: str | Path | None
    transport: str | TransportFactory | None
    mqtt_session: SessionName | None
    trust: Trust | str | bytes | Path | None
    certificate: str | Path | None
    private_key: str | Path | None
    key_password_file: str | Path | None
    symmetric_key_file: str | Path | None
    group_key_file: str | Path | None
    tpm: str | None
    tpm_owner_auth_file: str | Path | None
    tpm_endorsement_auth_file: str | Path | None
    secondary_certificate: str | Path | None
    secondary_private_key: str | Path | None
    secondary_key_password_file: str | Path | None
    secondary_symmetric_key_file: str | Path | None
    secondary_group_key_file: str | Path | None
    issue: KeySpec | IssuedKeyType | None
    timeout: float | None
    exchange_timeout: float | None
    hub_suffixes: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Rule:
    """How the value of a setting is read and checked."""

    check: Callable[[object], object]
    """Returns the value to be kept, or raises `ValueError` (`ConfigurationError` is one)."""
    parse: Callable[[str], object]
    """Parses the value in the environment, or raises `ValueError`."""
    is_path: bool
    """Whether it is relative to the settings file."""


def _rule(
    check: Callable[[object], object],
    parse: Callable[[str], object] = str,
    *,
    is_path: bool = False,
) -> Mapping[str, _Rule]:
    return {"rule": _Rule(check, parse, is_path)}


def _seconds(value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 < value <= MAX_TIMEOUT:  # type: ignore[operator]  # a number
        return float(value)  # type: ignore[arg-type]  # idem

    raise ValueError(f"it is not a number of seconds above 0 and at most {MAX_TIMEOUT:g}")


def _transport(value: object) -> str | TransportFactory:
    names = (AUTO, *TRANSPORTS)
    is_factory = not isinstance(value, type | os.PathLike) and callable(
        getattr(value, "open", None)
    )
    if (isinstance(value, str) and value in names) or is_factory:
        return value  # type: ignore[return-value]  # checked by its shape

    raise ValueError(f"it is neither {', '.join(names)} nor a value such as REST(...)")


def _session(value: object) -> SessionName:
    return check_session(value, setting="mqtt_session")


def _address(value: object) -> str:
    return check_endpoint(value, setting="address")


def _proxy(value: object) -> Proxy:
    return value if isinstance(value, Proxy) else Proxy.parse(value)  # type: ignore[arg-type]  # checked by it


def _trust(value: object) -> Trust | str | bytes | Path:
    if isinstance(value, Trust | str | bytes | Path) and value:
        return value

    raise ValueError("it is neither 'azure', 'certifi', 'system', nor a file or PEM bytes")


def _path(value: object) -> Path:
    if isinstance(value, str | Path) and str(value):
        return Path(value)

    raise ValueError("it is not a path")


def _tcti(value: object) -> str:
    if isinstance(value, str) and value.partition(":")[0].isidentifier():
        return value

    raise ValueError("it is not a TCTI such as 'device:/dev/tpmrm0'")


def _issue(value: object) -> KeySpec:
    return value if isinstance(value, KeySpec) else KeySpec(value)  # type: ignore[arg-type]  # checked by it


def _suffixes(value: object) -> tuple[str, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        suffixes = tuple(value)
        if suffixes and all(isinstance(suffix, str) and suffix for suffix in suffixes):
            return suffixes

    raise ValueError("it is not a list of domains such as '.azure-devices.net'")


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _invalid(name: str, fault: str, value: object, source: str) -> ConfigurationError:
    return ConfigurationError(
        _located(f"{name} cannot be {shown(value, limit=60)}: {fault}", source),
        setting=name,
        hint=f"correct {name}, or omit it to use the default",
    )


def _located(message: str, source: str) -> str:
    """Name the file or environment variable of a setting."""
    return message if source == _ARGUMENT else f"{message} (in {source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. The table in the documentation is derived from this class."""

    id_scope: str | None = field(default=None, metadata=_rule(check_id_scope))
    """Id scope of the DPS instance, like `0ne00012ABC`; required."""
    registration_id: str | None = field(default=None, metadata=_rule(check_registration_id))
    """Registration id of the device; has to be the CN of the certificate, which is the default.
    Required with a symmetric key."""
    endpoint: str = field(default=GLOBAL_ENDPOINT, metadata=_rule(check_endpoint))
    """Host name of the service."""
    port: int | None = field(default=None, metadata=_rule(check_port, int))
    """TCP port; by default that of the transport."""
    address: str | None = field(default=None, metadata=_rule(_address))
    """Host name or IP address to connect to in place of `endpoint`, which the certificate is still
    checked against."""
    proxy: Proxy | None = field(default=None, metadata=_rule(_proxy))
    """Proxy to connect through: `http://user:password@proxy.example:3128`, or with `socks5`; in
    Python also `Proxy(...)`."""
    proxy_password_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the password of the proxy's user in its first line, or with `user:password`."""
    transport: str | TransportFactory = field(default=AUTO, metadata=_rule(_transport))
    """`rest`, `mqtt`, `mqtt-ws` (MQTT over WebSocket), `auto` (their connections race; rest alone
    for a TPM and for look-ups), or in Python a value such as `MQTT(port=18883)`."""
    mqtt_session: SessionName | None = field(default=None, metadata=_rule(_session))
    """What speaks MQTT: `aiomqtt`, or `native`, which needs no library. By default aiomqtt where
    it runs, and native elsewhere, such as on trio."""
    trust: Trust | str | bytes | Path | None = field(
        default=None, metadata=_rule(_trust, is_path=True)
    )
    """CAs that may issue the service's certificate: `azure` (the default) for Azure's two roots,
    `certifi`, `system`, a file in PEM or DER, or in Python PEM bytes."""
    certificate: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the device's certificate and its intermediates, if any: PEM, DER or PKCS#12."""
    private_key: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the device's private key; by default it is in the certificate's file."""
    key_password_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the password of the private key, or of the PKCS#12 file, in its first line."""
    symmetric_key_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the device's symmetric key in base64, in place of a certificate; requires
    `registration_id`."""
    group_key_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the symmetric key of the device's enrollment group in base64, from which the
    device's own key is derived; requires `registration_id`."""
    tpm: str | None = field(default=None, metadata=_rule(_tcti))
    """TCTI of the device's TPM, in place of a certificate: `device:/dev/tpmrm0`, or another that
    tpm2-tss knows. Over REST alone."""
    tpm_owner_auth_file: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """File with the password of the TPM's owner hierarchy in its first line."""
    tpm_endorsement_auth_file: Path | None = field(
        default=None, metadata=_rule(_path, is_path=True)
    )
    """File with the password of the TPM's endorsement hierarchy in its first line."""
    secondary_certificate: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """`certificate` of a second credential, tried if the service refuses the first."""
    secondary_private_key: Path | None = field(default=None, metadata=_rule(_path, is_path=True))
    """`private_key` of the second credential."""
    secondary_key_password_file: Path | None = field(
        default=None, metadata=_rule(_path, is_path=True)
    )
    """`key_password_file` of the second credential."""
    secondary_symmetric_key_file: Path | None = field(
        default=None, metadata=_rule(_path, is_path=True)
    )
    """`symmetric_key_file` of a second credential, tried if the service refuses the first."""
    secondary_group_key_file: Path | None = field(
        default=None, metadata=_rule(_path, is_path=True)
    )
    """`group_key_file` of a second credential, tried if the service refuses the first."""
    issue: KeySpec | None = field(default=None, metadata=_rule(_issue))
    """Ask for a certificate, for a new key: `p256`, `p384` or `rsa2048`; in Python also
    `KeySpec()`."""
    timeout: float = field(default=90.0, metadata=_rule(_seconds, float))
    """Seconds for the whole registration."""
    exchange_timeout: float = field(default=30.0, metadata=_rule(_seconds, float))
    """Seconds for one request and its response."""
    hub_suffixes: tuple[str, ...] = field(
        default=AZURE_HUB_SUFFIXES, metadata=_rule(_suffixes, _comma_list)
    )
    """Domains that the assigned hub may be in; by default those of Azure."""

    def __post_init__(self) -> None:
        """Check each value that is given, as `load` does; a proxy may be its URL, for one.

        Raises:
            ConfigurationError: If a value is not valid.
        """
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value is not each.default:
                object.__setattr__(self, each.name, _check(each.name, value, _ARGUMENT))

    def __repr__(self) -> str:
        """Return what is not the default, without what may be a key in place of a path."""
        given = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value != each.default:
                hide = each.metadata["rule"].is_path and is_key(str(value))
                given.append(f"{each.name}={HIDDEN if hide else repr(value)}")

        return f"Settings({', '.join(given)})"

    @classmethod
    def load(
        cls, *, config: str | Path | None = None, **arguments: Unpack[SettingsArguments]
    ) -> Self:
        """Load the settings from all sources.

        Args:
            config: A TOML file; None for the one named by `AIODPS_CONFIG`, if any.
            **arguments: Settings by name; None means "not given".

        Raises:
            ConfigurationError: If a name is unknown or a value is not valid; the message names
                the setting.
        """
        check_type(config, str | Path | None, "config")
        file = os.environ.get(_PREFIX + _CONFIG.upper()) or None if config is None else config
        given = {name: value for name, value in arguments.items() if value is not None}
        sources = {
            **_from_file(file),
            **_from_environment(os.environ),
            **{name: (value, _ARGUMENT) for name, value in given.items()},
        }
        return cls(
            **{name: _check(name, value, source) for name, (value, source) in sources.items()}
        )

    def replace(self, **changes: Unpack[SettingsArguments]) -> Self:
        """Return a copy with some settings changed; None means "unchanged"."""
        given = {name: value for name, value in changes.items() if value is not None}
        return dataclasses.replace(
            self, **{name: _check(name, value, _ARGUMENT) for name, value in given.items()}
        )


Found = dict[str, tuple[object, str]]


def _from_environment(environment: Mapping[str, str]) -> Found:
    found: Found = {}
    for variable, text in environment.items():
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name == _CONFIG or not text:
            continue

        if name.startswith(_EMULATOR) or not _resembles_setting(name):
            continue

        source = f"the environment variable {variable}"
        rule = _rule_for(name, source)
        try:
            found[name] = (rule.parse(text), source)
        except ValueError:
            raise _invalid(name, "it is not a number", text, source) from None

    return found


def _from_file(path: str | Path | None) -> Found:
    if path is None:
        return {}

    origin = Origin.file(path, what="settings file", kind="config")
    document = parse_toml(read(origin), origin)
    source = f"the file {origin.shown_path!r}"
    return {
        name: (
            _from_folder(Path(path), value) if _rule_for(name, source).is_path else value,
            source,
        )
        for name, value in document.items()
    }


def _from_folder(file: Path, value: object) -> object:
    """Resolve a path in a settings file relative to the file."""
    if isinstance(value, str) and value not in Trust.KEYWORDS:
        return str(file.parent / value)

    return value


def _check(name: str, value: object, source: str) -> Any:
    rule = _rule_for(name, source)
    if rule.is_path and isinstance(value, str) and value:
        Origin.file(value, what=_located(f"setting {name}", source), kind=name)

    try:
        return rule.check(value)
    except ConfigurationError as error:
        raise ConfigurationError(
            _located(error.message, source), setting=error.setting, hint=error.hint
        ) from None
    except ValueError as exc:
        raise _invalid(name, str(exc), value, source) from None


def _resembles_setting(name: str) -> bool:
    """Whether a name resembles a setting; a part of its name is enough."""
    known = [_CONFIG, *(one.name for one in dataclasses.fields(Settings))]
    return any(name in one or one in name for one in known) or bool(get_close_matches(name, known))


def _rule_for(name: str, source: str) -> _Rule:
    rules = {one.name: one.metadata["rule"] for one in dataclasses.fields(Settings)}
    if name in rules:
        return rules[name]  # type: ignore[no-any-return]  # put there by `_rule`

    meant = "".join(f"did you mean {each}? " for each in get_close_matches(name, rules, n=1))
    given = shown(name) if source == _ARGUMENT else f"{source} sets {shown(name)}, which"
    raise ConfigurationError(
        f"{given} is not a setting",
        setting=name,
        hint=f"{meant}known settings: {', '.join(sorted(rules))}",
    )
