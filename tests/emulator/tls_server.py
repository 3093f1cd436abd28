"""A server on the emulator's listener that echoes, and a client for it."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread
from cryptography import x509
from tests import certificates
from tests.emulated import PATIENCE

from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.handshake import TlsHandshake
from aiodps.emulator.connections.listener import Frontend, Listener
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.connections.tls import server_context
from aiodps.pki import Authority, Credential

BUG = b"bug"
"""What makes the server fail."""


@dataclass(frozen=True)
class Spoken:
    """How a connection went."""

    session: ssl.SSLSession | None
    version: str | None
    protocol: str | None


class Server:
    """Echoes, and remembers which certificates it saw."""

    def __init__(self, port: int, ca: Authority) -> None:
        self.port = port
        self._ca = ca
        self.seen: list[tuple[x509.Certificate, ...]] = []

    async def frontend(self, stream: Stream) -> None:
        """Echo."""
        self.seen.append(stream.certificates)
        while data := await stream.receive():
            if data == BUG:
                raise ZeroDivisionError

            await stream.send(data)

    def context(self, credential: Credential | None = None) -> ssl.SSLContext:
        """Trust the server, as the device if one is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self._ca.certificate_pem.decode())
        if credential is not None:
            with tempfile.TemporaryDirectory() as directory:
                context.load_cert_chain(*certificates.write(credential, Path(directory)))

        return context

    async def ask(
        self,
        context: ssl.SSLContext,
        *,
        data: bytes = b"x",
        session: ssl.SSLSession | None = None,
    ) -> Spoken:
        """Make a connection and have something echoed."""
        return await to_thread.run_sync(partial(_ask, self.port, context, data, session))


def _ask(
    port: int, context: ssl.SSLContext, data: bytes, session: ssl.SSLSession | None
) -> Spoken:
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as sock,
    ):
        sock.sendall(data)
        echo = b""
        while len(echo) < len(data):
            more = sock.recv(65536)
            if not more:
                raise ConnectionError("the server has closed the connection")

            echo += more

        assert echo == data
        return Spoken(sock.session, sock.version(), sock.selected_alpn_protocol())


@asynccontextmanager
async def serving(
    connection_limit: ConnectionLimit | None = None, frontend: Frontend | None = None
) -> AsyncIterator[Server]:
    """Run a server, with room for some connections or for many; it echoes, or does as told."""
    ca = Authority.root("ca of the server")
    listener = Listener.bind("127.0.0.1", 0, setting="port")
    server = Server(listener.port, ca)
    tls = TlsHandshake(context=server_context(ca.server(["localhost"])))
    try:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                serve = partial(
                    listener.serve, connection_limit=connection_limit or ConnectionLimit(), tls=tls
                )
                tasks.start_soon(serve, frontend or server.frontend, tasks)
                yield server
                tasks.cancel_scope.cancel()
    finally:
        listener.close()
