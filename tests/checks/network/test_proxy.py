"""A proxy is checked on the way to the service, and what is behind it through it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.checks.staged import answering, findings, plan, server
from tests.scripted.http import HttpServer
from tests.scripted.proxies import KINDS, Kind
from tests.scripted.server import (
    HOST,
    Script,
    ScriptedServer,
    hangs_up,
    says_and_hangs_up,
    silent,
)
from tests.scripted.tls import serving

from aiodps.checks.model.finding import Finding, Verdict
from aiodps.checks.network.look import look_at_host
from aiodps.errors import ConnectError
from aiodps.network.proxy import Proxy
from aiodps.pki import Authority

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

PLAIN = HttpServer.line


class ProxyServer(ScriptedServer):
    """A proxy, whose scripts get a `Line` of HTTP: it may be the service as well."""

    line = PLAIN


async def through(proxy: Proxy, **more: Any) -> dict[str, Finding]:
    """Check the port 443 of a host through a proxy."""
    return await findings(plan(443, proxy=proxy, **more))


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_good(kind: Kind) -> None:
    """The proxy is looked up and connected to; TLS and HTTP are the service's."""
    script = kind.before(answering(), tls=serving(server()))
    with ProxyServer(silent, script) as peer:
        found = await through(kind.proxy(peer.port))

    assert list(found)[2:] == [
        *(f"tcp {peer.port} IPv6", "proxy 443", "tls 443", "http 443", "clock", "transport"),
    ]
    assert {each.fault for each in found.values()} == {None}
    assert found["transport"].verdict is Verdict.GOOD
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (says_and_hangs_up(b"HTTP/1.1 407 No\r\n\r\n"), "proxy_authentication"),
        (says_and_hangs_up(b"HTTP/1.1 401 No\r\n\r\n"), "proxy_authentication"),
        (says_and_hangs_up(b"HTTP/1.1 403 No\r\n\r\n"), "proxy_forbidden"),
        (says_and_hangs_up(b"HTTP/1.1 503 No\r\n\r\n"), "proxy_unavailable"),
        (says_and_hangs_up(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "proxy_protocol"),
        (hangs_up, "proxy_closed"),
    ],
    ids=["407", "401", "403", "503", "ssh", "closes"],
)
async def test_fault(script: Script, fault: str) -> None:
    """What it refuses is its own, and never taken for the service's."""
    kind = KINDS[1]
    with ProxyServer(silent, script) as peer:
        found = await through(kind.proxy(peer.port))

    assert found["proxy 443"].fault == fault
    assert found["proxy 443"].advice
    assert not {"tls 443", "http 443"} & set(found)
    assert "canary" not in repr(found)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[3]], ids=str)
async def test_interception_behind_it(kind: Kind) -> None:
    """The second look at a server that is refused goes through the proxy, too."""
    shown = server(issuer=Authority.root("Netskope CA"))
    script = kind.before(silent, tls=serving(shown))
    with ProxyServer(silent, script) as peer:
        found = await through(kind.proxy(peer.port))

    assert found["proxy 443"].verdict is Verdict.GOOD
    assert found["tls 443"].fault == "intercepting_proxy"
    assert len(peer.lines) == 3


async def test_not_there() -> None:
    """A proxy that cannot be connected to is the fault, and nothing behind it is tried."""
    with ProxyServer() as peer:
        port = peer.port

    found = await through(KINDS[0].proxy(port))

    assert found[f"tcp {port} IPv4"].fault == "refused"
    assert found["tls 443"].verdict is Verdict.NOT_TRIED


async def test_look_that_is_refused() -> None:
    """Nothing is presented through a proxy that refuses."""
    with ProxyServer(hangs_up) as peer:
        planned = plan(443, host=HOST, proxy=KINDS[0].proxy(peer.port))
        with pytest.raises(ConnectError):
            await look_at_host(planned, 443)
