"""The identifiers of a registration, and the checks of their format."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from datetime import date
from typing import TypeGuard

from aiodps.errors import ConfigurationError
from aiodps.key_text import shown

_ID_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]", re.ASCII)
_NOT_IN_REGISTRATION_ID = re.compile(r"[^A-Za-z0-9._:-]", re.ASCII)
_OPERATION_ID = re.compile(r"[A-Za-z0-9._~:=,;!*()@-]{1,256}", re.ASCII)
_API_VERSION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:-preview)?", re.ASCII)
_AZURE_DOMAINS = (
    ".azure-devices-provisioning.net",
    ".azure-devices-provisioning.cn",
    ".azure-devices-provisioning.us",
)
_HOST_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_HOST_LABEL}(?:\.{_HOST_LABEL})*", re.ASCII)


def check_id_scope(id_scope: object) -> str:
    """Return the id scope if it is valid.

    The service treats it as an opaque string such as `0ne00012ABC`. It becomes part of a URL and
    of an MQTT user name, so only letters, digits, `-` and `_` are allowed.

    Raises:
        ConfigurationError: If it is not valid.
    """
    if isinstance(id_scope, str) and _ID_SCOPE.fullmatch(id_scope):
        return id_scope

    raise ConfigurationError(
        f"the id scope {shown(id_scope)} is not 1 to 128 letters, digits, '-' or '_'",
        setting="id_scope",
        hint="copy the ID Scope from the overview page of the DPS instance, like 0ne00012ABC",
    )


def check_registration_id(registration_id: object) -> str:
    """Return the registration id if it is valid.

    Source: Microsoft Learn, "X.509 certificate attestation" and the REST reference: up to 128
    characters, case-insensitive, alphanumerics and `-`, `.`, `_`, `:`, the last one alphanumeric
    or a dash.

    Raises:
        ConfigurationError: If it is not valid; the message names the position.
    """
    if isinstance(registration_id, str) and _REGISTRATION_ID.fullmatch(registration_id):
        return registration_id

    raise ConfigurationError(
        f"the registration id {shown(registration_id)} {_registration_id_fault(registration_id)}",
        setting="registration_id",
        hint="use letters, digits, '-', '.', '_' and ':', and end with a letter, a digit or '-'",
    )


def _registration_id_fault(registration_id: object) -> str:
    if not isinstance(registration_id, str):
        return "is not a string"

    if not registration_id:
        return "is empty"

    bad = _NOT_IN_REGISTRATION_ID.search(registration_id)
    if bad is not None:
        return f"has {bad.group()!a} at position {bad.start()}"

    length = len(registration_id)
    if length > 128:  # noqa: PLR2004 (the service's limit, said in the message)
        return f"has {length} characters, the maximum is 128"

    return f"ends in {registration_id[-1]!r}"


def audience(id_scope: str, registration_id: str) -> str:
    """Return the audience of a device's SAS token, which contains it percent-encoded.

    Source: Microsoft Learn, "Symmetric key attestation".
    """
    return f"{id_scope}/registrations/{registration_id}"


def check_port(port: object) -> int:
    """Return the TCP port if it is valid.

    Raises:
        ConfigurationError: If it is not valid.
    """
    if type(port) is int and 0 < port < 2**16:
        return port

    raise ConfigurationError(
        f"the port {shown(port)} is not an integer from 1 to 65535",
        setting="port",
        hint="the service listens on 8883 for mqtt, and on 443 for rest and mqtt-ws",
    )


def check_api_version(api_version: object) -> str:
    """Return the api-version if it is a date as Azure writes it, like `2021-10-01-preview`.

    Raises:
        ConfigurationError: If it is not.
    """
    if isinstance(api_version, str) and (form := _API_VERSION.fullmatch(api_version)):
        with contextlib.suppress(ValueError):  # of a 30 February
            date.fromisoformat(form[1])
            return api_version

    raise ConfigurationError(
        f"the api-version {shown(api_version)} is not a date like 2021-10-01",
        setting="api_version",
        hint="omit it to use the version that this client was made for",
    )


def is_operation_id(value: object) -> TypeGuard[str]:
    """Return whether a value is an operation id that is safe in a URL and in a topic."""
    return isinstance(value, str) and _OPERATION_ID.fullmatch(value) is not None


def check_operation_id(operation_id: object) -> None:
    """Check an operation id that a caller gives; None if there is none.

    Raises:
        ConfigurationError: If it is not valid.
    """
    if operation_id is not None and not is_operation_id(operation_id):
        raise ConfigurationError(
            f"{ascii(operation_id)[:60]} is not an operation id",
            setting="operation_id",
            hint="give the id that the service returned for the register request",
        )


def check_endpoint(endpoint: object, *, setting: str = "endpoint") -> str:
    """Return the endpoint as the dialler needs it: a host name, or an IP literal without brackets.

    `setting` is what the message names.

    Raises:
        ConfigurationError: If it is not a host alone; the message says what else it contains.
    """
    if isinstance(endpoint, str):
        bracketed = re.fullmatch(r"\[(.+)\]", endpoint)
        if bracketed is not None and _is_ip(bracketed[1], version=6):
            return bracketed[1]

        if _is_ip(endpoint, version=4) or _HOST_NAME.fullmatch(endpoint):
            return endpoint

    raise ConfigurationError(
        f"the {setting} {shown(endpoint)} {_endpoint_fault(endpoint)}",
        setting=setting,
        hint="give the host alone, as global.azure-devices-provisioning.net, the port separately",
    )


def _is_ip(text: str, *, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _endpoint_fault(endpoint: object) -> str:
    if not isinstance(endpoint, str):
        return "is not a string"

    if _is_ip(endpoint, version=6):
        return "is an IPv6 address without brackets"

    for mark, fault in (
        ("://", "has a scheme"),
        ("@", "has user information"),
        ("/", "has a path"),
        ("%", "has a percent escape"),
        (":", "has a port"),
    ):
        if mark in endpoint:
            return fault

    if not endpoint.isascii():
        return "has non-ASCII characters; write the name in its xn-- form"

    return "is not a host name"


def is_azure(endpoint: str) -> bool:
    """Whether an endpoint belongs to one of Azure's clouds."""
    return endpoint.lower().endswith(_AZURE_DOMAINS)
