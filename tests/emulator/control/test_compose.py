"""The control port of an emulator: off unless asked for, and everything is on it."""

from __future__ import annotations

import pytest
from tests.emulator.clients import running
from tests.emulator.control.visits import head, headers, visit

from aiodps.emulator import Emulator
from aiodps.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def test_off_unless_asked_for() -> None:
    """There is no port, and no fact about one."""
    async with running() as dps:
        assert dps.control is None
        assert "control_url" not in dps.facts()


async def test_api_and_page() -> None:
    """Both are there."""
    async with running(control_port=0) as dps:
        assert dps.control is not None
        async with visit(dps.control) as client:
            facts = await client.ask("GET", "/api/facts", headers=headers(dps.control))
            await client.stream.send(head(dps.control, "GET", "/"))
            data = b""
            while b"</html>" not in data:
                data += await client.stream.receive()

        assert facts.status == 200
        assert data.startswith(b"HTTP/1.1 200")


async def test_the_port_is_given_back_when_another_cannot_be_had() -> None:
    """And the other way round: one that is taken is an error before anything runs."""
    async with running(control_port=0) as dps:
        assert dps.control is not None
        taken = int(dps.control.url.rpartition(":")[2])
        other = Emulator(control_port=taken)
        with pytest.raises(ConfigurationError, match="in use"):
            await other.__aenter__()
