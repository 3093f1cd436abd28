"""An event loop that lacks what the default one of Windows lacks."""

from __future__ import annotations

import asyncio
from typing import Any, Final


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """It cannot watch sockets, and handles no signals: the methods raise `NotImplementedError`."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    remove_reader = asyncio.AbstractEventLoop.remove_reader
    add_writer = asyncio.AbstractEventLoop.add_writer
    remove_writer = asyncio.AbstractEventLoop.remove_writer
    add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler


WITHOUT_READERS: Final[dict[str, Any]] = {"loop_factory": LoopWithoutReaders}
"""Options of `anyio.run` for it."""
