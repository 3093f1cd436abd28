"""A look at a server shows what it presents, accepted or not, and sends nothing but TLS."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from tests.certificates import certify
from tests.checks.staged import plan
from tests.scripted.server import HOST, ScriptedServer, resets, says_and_hangs_up, silent
from tests.scripted.tls import serving

from aiodps.checks.network.look import look_at, look_at_host
from aiodps.errors import ConnectError

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.mark.parametrize("version", [None, SSL.TLS1_VERSION], ids=["new", "old"])
async def test_presented(version: int | None) -> None:
    """A self-signed certificate for another name, over any version; no byte and no certificate."""
    shown = certify("portal", self_signed=True, names=["portal.example"])
    with ScriptedServer(silent, tls=serving(shown, version=version)) as peer:
        presented = await look_at(plan(peer.port), peer.port, HOST)

    assert presented.certificates == (shown.certificate,)
    assert presented.version == ("TLSv1" if version else "TLSv1.3")
    assert not peer.lines[0].received
    assert peer.lines[0].certificate is None


async def test_plain() -> None:
    """What is not TLS is kept, up to a limit."""
    with ScriptedServer(says_and_hangs_up(b"220 smtp\r\n" * 1000)) as peer:
        presented = await look_at(plan(peer.port), peer.port, HOST)

    assert presented.plain.startswith(b"220 smtp")
    assert len(presented.plain) <= 2048


async def test_reset() -> None:
    """Nothing is presented then."""
    with ScriptedServer(resets) as peer:
        presented = await look_at(plan(peer.port), peer.port, HOST)

    assert (presented.certificates, presented.plain, presented.reached) == ((), b"", True)


async def test_nobody_there() -> None:
    """A port that refuses connections is told as such."""
    with ScriptedServer() as peer:
        port = peer.port

    with pytest.raises(ConnectError, match="accepts connections"):
        await look_at_host(plan(port, host=HOST), port)
