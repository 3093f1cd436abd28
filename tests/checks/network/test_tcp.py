"""Name and TCP: how a look-up and a connection fail."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import anyio
import pytest
from tests.virtual_time import virtual_time

from aiodps.checks.model.finding import Verdict, good
from aiodps.checks.network.tcp import check_name, check_tcp, of_families

pytestmark = pytest.mark.anyio


def failing(code: int) -> Any:
    """Make a connector that fails as anyio's does."""

    async def connect(_address: str, _port: int) -> Any:
        raise OSError("All connection attempts failed") from OSError(code, os.strerror(code))

    return connect


async def hang(_address: str, _port: int) -> Any:
    """Connect as through a firewall that drops packets."""
    await anyio.sleep_forever()


@pytest.mark.parametrize(
    ("family", "code", "fault"),
    [
        ("IPv4", errno.ECONNREFUSED, "refused"),
        ("IPv4", errno.EHOSTUNREACH, "unreachable"),
        ("IPv4", errno.EPERM, "not_permitted"),
        ("IPv6", errno.ECONNREFUSED, "refused"),
    ],
)
async def test_fault(family: str, code: int, fault: str) -> None:
    """By the error number, which anyio hides in the cause."""
    finding = await check_tcp(family, "192.0.2.7", 8883, host="h", connect=failing(code))

    assert (finding.verdict, finding.fault) == (Verdict.BAD, fault)
    assert "8883" in finding.advice


async def test_no_route() -> None:
    """A machine without IPv6 is not a fault."""
    connect = failing(errno.ENETUNREACH)
    finding = await check_tcp("IPv6", "2001:db8::7", 443, host="h", connect=connect)

    assert finding.verdict is Verdict.NOT_TRIED


@virtual_time
async def test_black_hole() -> None:
    """Silence in one family, while the other works, costs time and nothing else."""
    silent = await check_tcp("IPv6", "2001:db8::7", 443, host="h", connect=hang)
    alone = of_families([silent])
    both = of_families([good("tcp 443 IPv4", "1.2.3.4 in 5 ms"), silent])

    assert [each.fault for each in alone] == ["dropped"]
    assert [each.fault for each in both] == [None, "ipv6_black_hole"]
    assert "0.25 s" in both[1].advice


@pytest.mark.sockets
async def test_literal() -> None:
    """An address is not looked up."""
    found, addresses = await check_name("127.0.0.1")

    assert [each.verdict for each in found] == [Verdict.NOT_TRIED]
    assert addresses == {"IPv4": "127.0.0.1"}


@pytest.mark.sockets
async def test_no_dns_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that nobody answers says nothing of the name."""

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    found, addresses = await check_name("dps.example.test")

    assert ([each.fault for each in found], addresses) == (["dns"], {})
