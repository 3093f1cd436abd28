"""Checks of certificate names, which become subjects and file names unchanged."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from cryptography import x509

from aiodps.errors import ConfigurationError
from aiodps.input_files.certificates import MAX_COMMON_NAME

_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,63}[A-Za-z0-9-]", re.ASCII)


def check_common_name(name: str) -> str:
    """Return the name if it is a valid CN.

    Raises:
        ConfigurationError: If it is empty, too long or not printable.
    """
    if not name:
        raise ConfigurationError(
            "the name is empty", setting="name", hint="give at least one character"
        )

    if not name.isprintable():
        raise ConfigurationError(
            f"the name {name!a} has characters that cannot be printed",
            setting="name",
            hint="remove control characters such as line ends",
        )

    length = len(name.encode())
    if length > MAX_COMMON_NAME:
        raise ConfigurationError(
            f"the name {name!r} has {length} bytes, but a CN has at most {MAX_COMMON_NAME}",
            setting="name",
            hint="shorten it: the CN is exactly the name",
        )

    return name


def check_registration_id(registration_id: str) -> str:
    """Return the registration id if it fits into a device certificate.

    Source: Microsoft Learn, "X.509 certificate attestation": alphanumerics and `-`, `.`, `_`,
    `:`, the last one alphanumeric or a dash; it is the CN, hence 64 characters at most.

    Raises:
        ConfigurationError: If it is not a registration id, or does not fit into a CN.
    """
    check_common_name(registration_id)
    if _REGISTRATION_ID.fullmatch(registration_id):
        return registration_id

    raise ConfigurationError(
        f"{registration_id!a} is not a registration id",
        setting="registration_id",
        hint="use letters, digits, '-', '.', '_', ':'; the last one a letter, digit or '-'",
    )


def check_file_name(name: str) -> str:
    """Return the name if it is a file name on any system.

    Raises:
        ConfigurationError: If it is not a valid CN, is `.` or `..`, or holds a slash.
    """
    check_common_name(name)
    if name not in {".", ".."} and not re.search(r"[/\\]", name):
        return name

    raise ConfigurationError(
        f"{name!r} is not a file name",
        setting="name",
        hint="leave out '/' and '\\'; give the directory with `--out`",
    )


def alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    """Return the DNS names and IP addresses of a server as its certificate states them.

    Raises:
        ConfigurationError: If there is none, or one is not ASCII.
    """
    if not names or not all(name and name.isascii() and name.isprintable() for name in names):
        raise ConfigurationError(
            f"{list(names)!a} are not the names of a server",
            setting="names",
            hint="give DNS names (in their xn-- form) and IP addresses",
        )

    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
