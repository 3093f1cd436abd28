"""Event loops that cannot watch sockets are told from those that can."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from tests.proactor import WITHOUT_READERS

from aiodps.errors import ConfigurationError
from aiodps.network.event_loop import backend_options, check_watches_sockets, watches_sockets


async def _watches() -> bool:
    return watches_sockets()


def test_who_watches_sockets() -> None:
    """On Unix asyncio's does; the default loop of Windows, trio, and no loop do not."""
    assert anyio.run(_watches)
    assert not anyio.run(_watches, backend="trio")
    assert not anyio.run(_watches, backend_options=WITHOUT_READERS)
    assert not watches_sockets()


def test_a_loop_that_does_not_is_refused_by_name() -> None:
    """The hint says which one does."""

    async def check() -> None:
        check_watches_sockets("mqtt")

    anyio.run(check)
    with pytest.raises(ConfigurationError) as caught:
        anyio.run(check, backend_options=WITHOUT_READERS)

    assert "on a LoopWithoutReaders, which does not watch sockets" in caught.value.message
    assert "SelectorEventLoop" in caught.value.hint
    with pytest.raises(ConfigurationError, match="requires asyncio"):
        anyio.run(check, backend="trio")


def test_the_loop_of_a_program_of_ours() -> None:
    """On Windows it is not the default one."""
    assert backend_options("win32") == {"loop_factory": asyncio.SelectorEventLoop}
    assert backend_options("linux") == {}
