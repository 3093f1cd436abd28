"""The names a registration is made with, and what they may look like."""

from __future__ import annotations

import ipaddress
import re

from aiodps.errors import ConfigurationError

_ID_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]", re.ASCII)
_NOT_IN_REGISTRATION_ID = re.compile(r"[^A-Za-z0-9._:-]", re.ASCII)
_HOST_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_HOST_LABEL}(?:\.{_HOST_LABEL})*", re.ASCII)


def check_id_scope(id_scope: object) -> str:
    """Return the id scope if it can be one.

    The service treats it as an opaque text such as `0ne00012ABC`; it becomes part of a URL and of
    an MQTT user name, so nothing but letters, digits, `-` and `_` is let through.

    Raises:
        ConfigurationError: If it cannot be an id scope.
    """
    if isinstance(id_scope, str) and _ID_SCOPE.fullmatch(id_scope):
        return id_scope

    raise ConfigurationError(
        f"the id scope {_shown(id_scope)} is not 1 to 128 letters, digits, '-' or '_'",
        setting="id_scope",
        hint="copy the ID Scope from the overview page of the DPS instance, like 0ne00012ABC",
    )


def check_registration_id(registration_id: object) -> str:
    """Return the registration id if it can be one.

    Source: Microsoft Learn, "X.509 certificate attestation" and the REST reference: up to 128
    characters, case-insensitive, alphanumerics and `-`, `.`, `_`, `:`, the last one alphanumeric
    or a dash.

    Raises:
        ConfigurationError: If it cannot be a registration id; the message names the position.
    """
    if isinstance(registration_id, str) and _REGISTRATION_ID.fullmatch(registration_id):
        return registration_id

    raise ConfigurationError(
        f"the registration id {_shown(registration_id)} {_registration_id_fault(registration_id)}",
        setting="registration_id",
        hint="use letters, digits, '-', '.', '_', ':'; the last one a letter, digit or '-'",
    )


def _registration_id_fault(registration_id: object) -> str:
    if not isinstance(registration_id, str):
        return "is not a text"

    if not registration_id:
        return "is empty"

    bad = _NOT_IN_REGISTRATION_ID.search(registration_id)
    if bad is not None:
        return f"has {bad.group()!a} at position {bad.start()}"

    length = len(registration_id)
    if length > 128:  # noqa: PLR2004 (the service's limit, said in the message)
        return f"has {length} characters, 128 is the most"

    return f"ends in {registration_id[-1]!r}"


def audience(id_scope: str, registration_id: str) -> str:
    """Return what a device's SAS token is for.

    Source: Microsoft Learn, "Symmetric key attestation"; the token has it percent-encoded.
    """
    return f"{id_scope}/registrations/{registration_id}"


def check_endpoint(endpoint: object) -> str:
    """Return the endpoint as the dialler needs it: a host name, or an IP literal without brackets.

    Raises:
        ConfigurationError: If it is anything but a bare host; the message says what it has.
    """
    if isinstance(endpoint, str):
        bracketed = re.fullmatch(r"\[(.+)\]", endpoint)
        if bracketed is not None and _is_ip(bracketed[1], version=6):
            return bracketed[1]

        if _is_ip(endpoint, version=4) or _HOST_NAME.fullmatch(endpoint):
            return endpoint

    raise ConfigurationError(
        f"the endpoint {_shown(endpoint)} {_endpoint_fault(endpoint)}",
        setting="endpoint",
        hint="give a bare host such as global.azure-devices-provisioning.net; the port goes apart",
    )


def _is_ip(text: str, *, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _endpoint_fault(endpoint: object) -> str:
    if not isinstance(endpoint, str):
        return "is not a text"

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
        return "has characters outside ASCII; write the name in its xn-- form"

    return "is not a host name"


def _shown(value: object) -> str:
    """Show a value in a message: as ASCII, and not at any length."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 (one line of a terminal)
