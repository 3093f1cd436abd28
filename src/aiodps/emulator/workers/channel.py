"""Frames over a socket pair: one reader, any number of writers who never wait."""

from __future__ import annotations

import socket
from typing import Final

import anyio

from aiodps.emulator.workers.frames import Decoder, Frame, encode

_CHUNK: Final = 1 << 18


class Channel:
    """One end of the pair between the parent and a worker."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._decoder = Decoder()
        self._waiting = bytearray()
        self._something = anyio.Event()

    def post(self, frame: Frame) -> None:
        """Send a frame after those before it, as soon as `write` gets to it.

        How much can wait is bounded by who posts: each connection has one question open.
        """
        self._waiting += encode(frame)
        self._something.set()

    async def write(self) -> None:
        """Send what is posted, until cancelled or the other end has gone."""
        while True:
            await self._something.wait()
            self._something = anyio.Event()
            data, self._waiting = self._waiting, bytearray()
            try:
                await self._send(memoryview(data))
            except OSError:
                return  # `receive` tells of it

    async def receive(self) -> list[Frame]:
        """Wait for frames; none if the other end has gone."""
        while True:
            await anyio.wait_readable(self._socket)
            try:
                data = self._socket.recv(_CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                return []

            frames = list(self._decoder.feed(data))
            if frames or not data:
                return frames

    async def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
