"""A proxy in a process of its own, of the standard library alone: HTTP CONNECT and SOCKS 5.

It listens on loopback, writes its port to stdout, and ends when stdin does. With `user:password`
as its argument it requires them. Every name leads to loopback: whoever looks one up is the proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import sys


class Refused(Exception):  # noqa: N818 (not an error of ours)
    """The answer to a client that is not let through."""


async def asked_by_http(reader: asyncio.StreamReader, first: bytes, login: str) -> int:
    """Read a CONNECT; return the port."""
    head = first + await reader.readuntil(b"\r\n\r\n")
    wanted = b"Basic " + base64.b64encode(login.encode()) + b"\r\n"
    if login and wanted not in head:
        raise Refused(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n\r\n")

    return int(head.split()[1].rpartition(b":")[2])


async def asked_by_socks(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: str
) -> int:
    """Do the handshake of SOCKS 5; return the port."""
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    if login and 2 not in methods:
        raise Refused(b"\x05\xff")

    writer.write(b"\x05\x02" if login else b"\x05\x00")
    if login:
        await reader.readexactly(1)
        user, password = [
            (await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)
        ]
        if f"{user}:{password}" != login:
            raise Refused(b"\x01\x01")

        writer.write(b"\x01\x00")

    kind = (await reader.readexactly(4))[3]
    await reader.readexactly({1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0])
    return int.from_bytes(await reader.readexactly(2))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and its end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

        writer.write_eof()
        return

    writer.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: str) -> None:
    """Serve one client."""
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
        first = await reader.readexactly(1)
        socks = first == b"\x05"
        try:
            if socks:
                port = await asked_by_socks(reader, writer, login)
            else:
                port = await asked_by_http(reader, first, login)
        except Refused as refusal:
            writer.write(refusal.args[0])
            return

        try:
            there, to_there = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.write(b"\x05\x05\x00\x01" + bytes(6) if socks else b"HTTP/1.1 503 No\r\n\r\n")
            return

        writer.write(b"\x05\x00\x00\x01" + bytes(6) if socks else b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.closing(to_there):
            await asyncio.gather(copy(reader, to_there), copy(there, writer))


async def main() -> None:
    """Serve until stdin ends."""
    login = sys.argv[1] if len(sys.argv) > 1 else ""
    server = await asyncio.start_server(
        lambda reader, writer: serve(reader, writer, login), "127.0.0.1", 0, backlog=1024
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
