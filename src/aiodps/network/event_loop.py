"""What event loops can do: not each of them can tell when a socket is ready.

The default loop of asyncio on Windows (proactor) cannot: it waits for operations to be completed.
There anyio waits for sockets in a thread, which is enough for REST and for the emulator; MQTT
needs `add_reader`, for paho.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiodps.errors import ConfigurationError


def watches_sockets() -> bool:
    """Tell whether the running event loop is asyncio's, and has `add_reader`."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False

    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


def check_watches_sockets(transport: str) -> None:
    """Refuse an event loop on which a transport that needs `add_reader` cannot run.

    Args:
        transport: Its name, for the message.

    Raises:
        ConfigurationError: If it is trio's, or the one of Windows that does not watch sockets.
    """
    if watches_sockets():
        return

    try:
        loop = type(asyncio.get_running_loop()).__name__
    except RuntimeError as exc:
        raise ConfigurationError(
            f"the {transport} transport requires asyncio, which is not running",
            setting="transport",
            hint="use transport='rest', which also runs on trio",
        ) from exc

    raise ConfigurationError(
        f"the {transport} transport cannot run on a {loop}, which does not watch sockets",
        setting="transport",
        hint="use transport='rest', or asyncio.run(..., loop_factory=asyncio.SelectorEventLoop)",
    )


def backend_options(platform: str = sys.platform) -> dict[str, Any]:
    """Return options of `anyio.run` for an event loop on which every transport runs."""
    return {"loop_factory": asyncio.SelectorEventLoop} if platform == "win32" else {}
