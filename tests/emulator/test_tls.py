"""TLS of the emulator: any certificate or none, the whole chain, true alerts, bounded time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from OpenSSL import SSL

from aiodps.emulator import tls
from aiodps.emulator.listener import Listener
from aiodps.emulator.tls import TlsStream, server_context
from aiodps.pki import Authority, Credential
from tests import certificates
from tests.emulator.clients import device

pytestmark = pytest.mark.anyio


class Server:
    """Echoes, and remembers whom it saw."""

    def __init__(self, port: int, ca: Authority) -> None:
        self.port = port
        self.ca = ca
        self.streams: list[TlsStream] = []

    async def front(self, stream: TlsStream) -> None:
        """Echo."""
        self.streams.append(stream)
        while data := await stream.receive():
            await stream.send(data)

    def context(self, credential: Credential | None = None) -> SSL.Context:
        """Trust the server, as the device if one is given."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(_x509(self.ca))
        context.set_verify(SSL.VERIFY_PEER)
        if credential is not None:
            context.use_certificate(credential.certificate)
            context.use_privatekey(credential.private_key)
            for intermediate in credential.intermediates:
                context.add_extra_chain_cert(intermediate)

        return context


def _x509(ca: Authority) -> object:
    from OpenSSL.crypto import X509

    return X509.from_cryptography(ca.certificate)
