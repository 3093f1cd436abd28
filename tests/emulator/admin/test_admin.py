"""The control port of an emulator: off unless asked for, and everything is on it."""

from __future__ import annotations

import contextlib

import anyio
import pytest
from tests.emulated import running
from tests.emulator.admin.visits import head, headers, port_of, visit

from aiodps.emulator import Emulator
from aiodps.emulator.admin.server import PLACES
from aiodps.emulator.connections import connection_limit
from aiodps.errors import ConfigurationError

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


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


async def test_it_never_leaves_this_machine() -> None:
    """Whatever the other ports listen on."""
    async with running(control_port=0, host="0.0.0.0", beyond_loopback=True) as dps:  # noqa: S104
        assert dps.control is not None
        assert dps.control.url.startswith("http://127.0.0.1:")
        with pytest.raises(OSError, match=r"(failed|refused)"):
            async with await anyio.connect_tcp("127.0.0.2", port_of(dps.control)):
                pass


async def test_a_crowd_that_says_nothing_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The silent ones make room."""
    monkeypatch.setattr(connection_limit, "SILENT_SECONDS", 0.05)
    async with running(control_port=0) as dps, contextlib.AsyncExitStack() as crowd:
        assert dps.control is not None
        for _ in range(2 * PLACES):
            silent = await anyio.connect_tcp("127.0.0.1", port_of(dps.control))
            await crowd.enter_async_context(silent)

        async with visit(dps.control) as client:
            assert (
                await client.ask("GET", "/api/facts", headers=headers(dps.control))
            ).status == 200
