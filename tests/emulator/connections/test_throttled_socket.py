"""Connections over a slow line, from the first byte of TLS to the last one of the answer."""

from __future__ import annotations

import anyio
import pytest
from tests.emulator.clients import SCOPE, client_context, connect, device, http, running
from tests.emulator.connections.test_handshake import LOST, rule

pytestmark = pytest.mark.anyio
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


@pytest.mark.parametrize("drip", ["{ bytes = 1, every = 0 }", "{ bytes = 300, every = 0.01 }"])
async def test_a_slow_line_is_slow_and_nothing_else(drip: str) -> None:
    """Handshake and answers arrive whole, and the connection ends as always."""
    async with running(**rule(f"drip = {drip}")) as dps:
        began = anyio.current_time()
        async with http(dps, device()) as client:
            for _ in range(2):
                assert (await client.ask("PUT", PATH, b"{}")).status == 202

        assert "every = 0 " in drip or anyio.current_time() - began > 0.03


async def test_the_end_of_a_connection_gets_through() -> None:
    """With the last answer before it."""
    slow = rule("drip = { bytes = 300, every = 0.01 }")
    async with running(**slow) as dps, http(dps, device()) as client:
        headers = ["Connection: close"]
        assert (await client.ask("PUT", PATH, b"{}", headers)).status == 202
        with pytest.raises(anyio.EndOfStream):
            await client.stream.receive()


async def test_half_a_handshake() -> None:
    """And then the end."""
    async with running(**rule('first = 1\ntruncate = "message"')) as dps:
        with pytest.raises(LOST):
            await connect(dps.https_port, client_context(dps))

        async with http(dps, device()) as client:
            assert (await client.ask("PUT", PATH, b"{}")).status == 202
