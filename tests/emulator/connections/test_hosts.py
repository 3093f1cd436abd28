"""Who reaches a host, and what clients call it."""

from __future__ import annotations

import pytest

from aiodps.emulator.connections.hosts import check_host, in_url, is_loopback, reachable_name
from aiodps.errors import ConfigurationError

ANY = "0.0.0.0"  # noqa: S104 (nothing listens)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")),
        *((host, False) for host in ("192.0.2.1", ANY, "::", "dps.example")),
    ],
)
def test_a_host_beyond_loopback_needs_consent(host: str, loopback: bool) -> None:
    """The error names the setting; a name may be anywhere."""
    assert is_loopback(host) == loopback
    check_host(host, beyond_loopback=True, setting="host")
    if loopback:
        check_host(host, beyond_loopback=False, setting="host")
        return

    with pytest.raises(ConfigurationError, match="other machines") as caught:
        check_host(host, beyond_loopback=False, setting="admin_host")

    assert caught.value.setting == "admin_host"


def test_nobody_connects_to_any_address() -> None:
    """The first name takes its place, if there is one."""
    assert reachable_name(ANY, ("dps", "other")) == "dps"
    assert reachable_name("::", ("dps",)) == "dps"
    assert reachable_name(ANY, ()) == ANY
    assert reachable_name("192.0.2.1", ("dps",)) == "192.0.2.1"


def test_brackets_in_urls() -> None:
    """For IPv6 alone."""
    assert (in_url("::1"), in_url("dps")) == ("[::1]", "dps")
