"""The checks of a network find each staged fault, by its name."""

from __future__ import annotations

import errno
import functools
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from OpenSSL import SSL
from tests.certificates import DAY, certify
from tests.checks.staged import REST, answering, clock, findings, plan, server, upgrading
from tests.scripted.http import HttpServer
from tests.scripted.server import (
    Script,
    ScriptedServer,
    hangs_up,
    says_and_hangs_up,
    silent,
)
from tests.scripted.tls import serving
from tests.transports.hosts import DPS, hosts
from tests.virtual_time import jump, on_asyncio, virtual_time

from aiodps.checks.model.finding import Finding, Verdict
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.endpoint import check_endpoint
from aiodps.network import resolve as resolve_module
from aiodps.network.trust import Trust
from aiodps.pki import Authority, Credential

__all__ = ["hosts"]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hosts")]

PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n\r\n"
ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@functools.cache
def zscaler() -> Authority:
    """Make the root of a proxy that intercepts TLS."""
    return Authority.root("Zscaler Root CA")


@dataclass(frozen=True)
class Staged:
    """A server at which something is wrong, and the finding that says so."""

    id: str
    check: str
    fault: str
    scripts: tuple[Script, ...] = (silent, answering())
    shows: Callable[[], Credential] | None = server
    """The server's certificate; None for no TLS."""
    says: str = ""
    """A part of what was seen, or of what to do."""
    tls: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)


FAULTS = [
    Staged(
        "wrong-host",
        "tls",
        "wrong_host",
        shows=lambda: server(names=["other.example.test"]),
        says="other.example.test",
    ),
    Staged(
        "portal-http",
        "tls",
        "captive_portal",
        scripts=(silent, says_and_hangs_up(PORTAL)),
        shows=None,
        says="http://login.hotel.example/",
    ),
    Staged(
        "portal-tls",
        "tls",
        "captive_portal",
        shows=lambda: certify("portal", self_signed=True, names=["login.hotel.example"]),
        says="login.hotel.example",
    ),
    Staged(
        "portal-redirect",
        "http",
        "captive_portal",
        scripts=(silent, answering(307, Location="https://login.hotel.example/")),
        says="login.hotel.example",
    ),
    Staged(
        "intercepting-proxy",
        "tls",
        "intercepting_proxy",
        shows=lambda: server(issuer=zscaler()),
        says="Zscaler intercepts TLS",
    ),
    Staged(
        "trusted-intercepting-proxy",
        "tls",
        "intercepting_proxy",
        shows=lambda: server(issuer=zscaler()),
        plan={"trust": Trust.of(zscaler().certificate_pem)},
        says="certificate cannot pass",
    ),
    Staged(
        "unknown-root",
        "tls",
        "incomplete_chain",
        shows=lambda: server(issuer=Authority.root("private root")),
        says="--trust",
    ),
    Staged(
        "clock",
        "clock",
        "clock",
        plan={"now": clock(-DAY)},
        says="clock is 1 day behind the service's",
    ),
    Staged(
        "certificate-expired",
        "tls",
        "expired",
        shows=lambda: server(starts=-30 * DAY, ends=-DAY),
        scripts=(silent, silent, silent, answering()),
        says="clock agrees",
    ),
    Staged(
        "certificate-and-clock",
        "tls",
        "clock",
        shows=lambda: server(starts=DAY, ends=30 * DAY),
        scripts=(silent, silent, silent, answering(Date="Sun, 06 Nov 2050 08:49:37 GMT")),
        says="set the clock",
    ),
    Staged("old-tls", "tls", "version", tls={"version": SSL.TLS1_1_VERSION}, says="TLSv1.1"),
    Staged(
        "plaintext",
        "tls",
        "not_tls",
        scripts=(silent, says_and_hangs_up(b"SSH-2.0-OpenSSH_9.2\r\n")),
        shows=None,
        says="SSH-2.0",
    ),
    Staged("closes", "tls", "closed", scripts=(silent, hangs_up), shows=None, says="its name"),
    Staged(
        "upgrade-refused",
        "websocket",
        "upgrade_refused",
        scripts=(silent, silent, answering(403)),
        plan={"names": ("mqtt-ws",)},
        says="HTTP 403",
    ),
]


@pytest.mark.sockets
@ASYNCIO
@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row.id)
async def test_fault(row: Staged) -> None:
    """It is the one bad finding, besides that nothing gets through because of it."""
    tls = None if row.shows is None else serving(row.shows(), **row.tls)
    kind = ScriptedServer if tls is None else HttpServer
    with kind(*row.scripts, tls=tls) as peer:
        found = await findings(plan(peer.port, **row.plan))

    faults = {each.check: each.fault for each in found.values() if each.fault}
    check = "clock" if row.check == "clock" else f"{row.check} {peer.port}"
    assert faults.pop("transport", "no_path") == "no_path"
    assert faults == {check: row.fault}
    assert row.says in found[check].seen + found[check].advice
    assert found[check].advice


@pytest.mark.sockets
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_good(anyio_backend: str) -> None:
    """Of a good network all is good, apart from what this host does not have."""
    scripts = (silent, answering(), upgrading())
    with HttpServer(*scripts, tls=serving(server())) as peer:
        found = await findings(plan(peer.port, names=("rest", "mqtt-ws")))

    port = peer.port
    untried = {name: each.seen for name, each in found.items() if each.verdict != Verdict.GOOD}
    assert list(found) == [
        *("name IPv4", "name IPv6", f"tcp {port} IPv4", f"tcp {port} IPv6", f"tls {port}"),
        *(f"http {port}", "clock", f"websocket {port}", "transport"),
    ]
    assert list(untried) == ["name IPv6", f"tcp {port} IPv6"]
    assert "root 'CN=test root'" in found[f"tls {port}"].seen
    assert found["transport"].seen == "devices get through over rest, mqtt-ws"


@ASYNCIO
async def test_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not exist; no port is tried."""

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    found = await findings(plan(443))

    assert found["name"].fault == "unknown_name"
    assert found["tcp 443"].verdict is Verdict.NOT_TRIED
    assert found["transport"].fault == "no_path"


async def blocked(address: str, port: int) -> Any:
    """Connect to nothing: the port 443 is dropped, any other refused."""
    if port != 443:
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    await anyio.sleep_forever()


@pytest.fixture
def both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the host an address of each family, without a thread that looks it up."""

    async def resolve(*_: object) -> tuple[resolve_module.Address, ...]:
        return (
            resolve_module.Address(socket.AF_INET6, ("2001:db8::7", 0, 0, 0)),
            resolve_module.Address(socket.AF_INET, ("192.0.2.7", 0)),
        )

    monkeypatch.setattr("aiodps.checks.network.tcp.resolve", resolve)


@virtual_time
@pytest.mark.usefixtures("both_families")
async def test_everything_is_blocked() -> None:
    """Each port is found to be closed in its way, at the same time, and nothing gets through."""
    began = anyio.current_time()
    found = await findings(plan(443, 8883, connect=blocked))

    assert anyio.current_time() - began == pytest.approx(10, abs=0.1)
    assert [found[f"tcp {port} IPv4"].fault for port in (443, 8883)] == ["dropped", "refused"]
    assert "--transport rest" in found["tcp 8883 IPv4"].advice
    assert found["transport"].fault == "no_path"
    assert DPS in found["tcp 443 IPv6"].advice


@virtual_time
@pytest.mark.usefixtures("both_families")
async def test_no_time_left() -> None:
    """What is not done in time is said, and the rest is shown in order."""
    shown: list[str] = []
    planned = plan(8883, 443, connect=blocked)
    with anyio.fail_after(3.5):
        usable = await check_within(planned, 3.0, shown)

    assert usable == ()
    assert shown[-4:-1] == ["tcp 8883 IPv4", "tcp 8883 IPv6", "port 443"]


async def check_within(planned: Plan, seconds: float, shown: list[str]) -> tuple[str, ...]:
    """Check an endpoint, and note what is shown."""
    return await check_endpoint(
        planned, within=seconds, show=lambda finding: shown.append(finding.check)
    )


@pytest.mark.sockets
@ASYNCIO
async def test_cancelled_with_nothing_left() -> None:
    """Whoever gives up while a server is silent leaves no connection."""
    with ScriptedServer(silent) as peer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(findings, plan(peer.port))
            while len(peer.lines) < 2:  # TCP, then TLS
                await anyio.lowlevel.checkpoint()

            tasks.cancel_scope.cancel()

    assert all(line.ended.is_set() for line in peer.lines)


@pytest.mark.sockets
@on_asyncio
@pytest.mark.parametrize(
    ("check", "names", "secure"),
    [("tls", REST, False), ("http", REST, True), ("websocket", ("mqtt-ws",), True)],
)
async def test_silent(check: str, names: tuple[str, ...], *, secure: bool) -> None:
    """A server that takes everything and says nothing is told at the stage where it is silent."""
    tls = serving(server()) if secure else None
    with (HttpServer if secure else ScriptedServer)(silent, tls=tls) as peer:
        async with anyio.create_task_group() as tasks:
            found: dict[str, Finding] = {}

            async def check_all() -> None:
                found.update(await findings(plan(peer.port, names=names)))

            tasks.start_soon(check_all)
            # A TLS handshake is data for a server that knows nothing of TLS.
            while not any(line.received for line in peer.lines):
                await anyio.lowlevel.checkpoint()

            jump(10.1)

    assert found[f"{check} {peer.port}"].fault == "silent"


@pytest.mark.parametrize("ahead", [timedelta(0), -DAY])
@pytest.mark.sockets
@ASYNCIO
async def test_mqtt_alone(ahead: timedelta) -> None:
    """At the port of MQTT a CONNECT is the last check; the clock cannot be asked for there."""
    connack = says_and_hangs_up(b"\x20\x02\x00\x02")
    with HttpServer(silent, connack, tls=serving(server())) as peer:
        found = await findings(plan(peer.port, names=("mqtt",), now=clock(ahead)))

    assert list(found)[-2:] == [f"mqtt {peer.port}", "transport"]
    assert found["transport"].verdict is Verdict.GOOD
