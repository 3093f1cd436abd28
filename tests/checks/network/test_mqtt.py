"""A CONNECT tells MQTT from HTTP on a port that lets TLS in."""

from __future__ import annotations

import pytest
from tests.checks.staged import findings, plan, server
from tests.scripted.http import HttpServer
from tests.scripted.server import says_and_hangs_up, silent
from tests.scripted.tls import serving
from tests.transports.hosts import hosts

from aiodps.checks.network import mqtt

__all__ = ["hosts"]


pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.usefixtures("hosts"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


@pytest.mark.parametrize(
    ("answer", "verdict", "path"),
    [
        (b"\x20\x02\x00\x02", "good", None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "bad", "no_path"),
        (b"SSH-2.0-x\r\n", "bad", "no_path"),
        (b"", "not tried", None),
    ],
    ids=["refused", "http", "other", "closed"],
)
async def test_what_comes_back(answer: bytes, verdict: str, path: str | None) -> None:
    """A refusal is MQTT; a server that closes may be, for all that is known."""
    with HttpServer(silent, says_and_hangs_up(answer), tls=serving(server())) as peer:
        found = await findings(plan(peer.port, names=("mqtt",)))

    assert found[f"mqtt {peer.port}"].verdict.value == verdict
    assert found["transport"].fault == path


async def test_nothing_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device would wait as well."""
    monkeypatch.setattr(mqtt, "ANSWER_TIMEOUT", 0.01)
    with HttpServer(silent, silent, tls=serving(server())) as peer:
        found = await findings(plan(peer.port, names=("mqtt",)))

    assert found[f"mqtt {peer.port}"].fault == "silent"
