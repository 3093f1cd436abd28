"""The upgrade to WebSocket is that of the transport, and its errors are findings."""

from __future__ import annotations

import pytest
from tests.checks.staged import answering, findings, plan, server, upgrading
from tests.scripted.http import HttpServer
from tests.scripted.server import Script, hangs_up, silent
from tests.scripted.tls import serving
from tests.transports.hosts import hosts

__all__ = ["hosts"]


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (upgrading(), None),
        (upgrading(accept="x"), "upgrade_refused"),
        (upgrading(protocol="chat"), "upgrade_refused"),
        (answering(503), "upgrade_refused"),
        (answering(302, Location="https://login.hotel.example/"), "captive_portal"),
        (hangs_up, "upgrade_refused"),
    ],
    ids=["good", "accept", "protocol", "refused", "redirected", "closed"],
)
async def test_upgrade(script: Script, fault: str | None) -> None:
    """Accept header and subprotocol count; a redirect leads to a portal."""
    with HttpServer(silent, silent, script, tls=serving(server())) as peer:
        found = await findings(plan(peer.port, names=("mqtt-ws",)))

    assert found[f"websocket {peer.port}"].fault == fault
    assert found["transport"].fault == ("no_path" if fault else None)
