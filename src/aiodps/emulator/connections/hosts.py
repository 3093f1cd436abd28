"""The hosts that ports listen on: who can reach them, and what clients call them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiodps.errors import ConfigurationError


def check_host(host: str, *, beyond_loopback: bool, setting: str) -> None:
    """Refuse a host that other machines can reach, unless that is allowed.

    Args:
        host: An address or a name.
        beyond_loopback: Whether it is allowed.
        setting: Name of the host's setting, for the error.

    Raises:
        ConfigurationError: If the host is not known to be on loopback.
    """
    if not is_loopback(host) and not beyond_loopback:
        raise ConfigurationError(
            f"{host!r} can be reached from other machines, and the emulator is not secure",
            setting=setting,
            hint="use 127.0.0.1, or give beyond_loopback=True (--i-know-this-is-not-secure)",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host; False for names other than `localhost`."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def reachable_name(host: str, names: Sequence[str]) -> str:
    """Return what clients may call a host: the first of its names if it is any address."""
    address = _address(host)
    return names[0] if names and address is not None and address.is_unspecified else host


def in_url(host: str) -> str:
    """Return a host as in a URL: an IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host else host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
