"""TLS of DPS: any client certificate or none is accepted here, and verified by the service.

pyOpenSSL, because the standard library can neither accept certificates it cannot verify nor, up
to Python 3.12, show the whole chain, and its asyncio servers send no alerts. That the peer holds
the private key of its certificate is proved by TLS itself, whatever the callback says.
"""

from __future__ import annotations

import contextlib
import socket
import warnings
from collections.abc import Callable, Coroutine
from functools import cached_property, partial
from typing import Any, Final, Self, TypeVar

import anyio
from cryptography import x509
from OpenSSL import SSL

from aiodps.emulator.connections.plain import CHUNK, linger, reset
from aiodps.emulator.connections.read_watch import ReadWatch
from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.input_files.certificates import UNREADABLE
from aiodps.pki import Credential

MAX_CHAIN: Final = 16
"""Certificates that a client may present; each has to be read and tried."""
HANDSHAKE_SILENCE: Final = 30.0
"""Seconds in which a peer must send something during the handshake."""
HANDSHAKE_TOTAL: Final = 90.0
"""Seconds for the whole handshake: generous, for a burst of thousands on a small machine."""
_SENDS_PER_TURN: Final = 32
"""Responses to one peer before other tasks run."""
_HTTP: Final = b"http/1.1"
"""The only protocol in ALPN; clients of the others do not use ALPN."""

T = TypeVar("T")


def server_context(credential: Credential) -> SSL.Context:
    """Make the context of the server: TLS 1.2 and 1.3, a certificate asked for but not needed."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(credential.certificate)
    context.use_privatekey(credential.private_key)
    for each in credential.intermediates:
        context.add_extra_chain_cert(each)

    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    # OpenSSL's verification of the chain is not used; each certificate would cost a signature.
    context.set_verify_depth(0)
    context.set_alpn_select_callback(
        lambda _, offered: _HTTP if _HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    # A resumed session would carry the leaf only. Tickets of TLS 1.3 are still sent, because
    # without them clients that leave TCP_NODELAY off stall for 40 ms; they cannot be used.
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Idle connections give back the 34 kB that OpenSSL reads and writes with.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


class TlsStream:
    """One connection with TLS, for one task; each await obeys its `peer_timeout`."""

    def __init__(
        self, sock: socket.socket, context: SSL.Context, peer_timeout: PeerTimeout
    ) -> None:
        self.peer_timeout = peer_timeout
        self.certificates: tuple[x509.Certificate, ...] = ()
        """The client's certificates, leaf first, as sent; empty if it presented none."""
        self._socket = sock
        self._context = context
        self._watch = ReadWatch(sock, on_readable=peer_timeout.renew)
        self._sends = 0
        self._broken = False

    @cached_property
    def _tls(self) -> SSL.Connection:
        """Made when something has arrived: a client that only connects costs no such memory."""
        tls = SSL.Connection(self._context, self._socket)
        tls.set_accept_state()
        return tls

    @classmethod
    async def accept(
        cls, sock: socket.socket, context: SSL.Context, peer_timeout: PeerTimeout
    ) -> Self:
        """Perform the handshake; if that fails, the peer gets an alert.

        Args:
            sock: The connection.
            context: Of the server.
            peer_timeout: Of the connection.

        Raises:
            PeerLostError: If the handshake fails.
        """
        peer_timeout.start(silence=HANDSHAKE_SILENCE, total=HANDSHAKE_TOTAL)
        stream = cls(sock, context, peer_timeout)
        try:
            await stream._do(lambda: stream._tls.do_handshake(), at_once=False)  # noqa: PLW0108
            stream.certificates = _peer_chain(stream._tls)
        except BaseException:
            stream._watch.stop()
            raise

        return stream

    def receive(self) -> Coroutine[Any, Any, bytes]:
        """Return what has arrived, or b"" if the peer has ended the connection properly.

        Raises:
            PeerLostError: If the connection broke.
        """
        # Each record is received whole: OpenSSL never has another one that the socket has not.
        return self._do(self._receive, at_once=False)

    async def send(self, data: bytes) -> None:
        """Send everything.

        Raises:
            PeerLostError: If the connection broke.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[await self._do(partial(self._tls.send, rest)) :]

        # A peer that pipelines a thousand requests must not keep the others waiting.
        self._sends += 1
        if self._sends % _SENDS_PER_TURN == 0:
            await anyio.lowlevel.checkpoint()

    async def linger(self) -> None:
        """Let the peer read the last response: drop what it still sends, for a short while."""
        with contextlib.suppress(SSL.Error, OSError):
            self._tls.shutdown()

        self._watch.stop()
        await linger(self._socket, self.peer_timeout)

    def reset(self) -> None:
        """End the connection at once, so that the peer sees it broken (RST)."""
        self._broken = True
        reset(self._socket)

    def close(self) -> None:
        """End TLS if possible, and the connection at once; may be called more than once."""
        if not self._broken:
            with contextlib.suppress(SSL.Error, OSError):
                self._tls.shutdown()

        self._watch.stop()
        self._socket.close()

    def _receive(self) -> bytes:
        try:
            return self._tls.recv(CHUNK)
        except SSL.ZeroReturnError:
            return b""

    async def _do(self, operation: Callable[[], T], *, at_once: bool = True) -> T:
        """Try the operation, waiting whenever TLS needs to."""
        while True:
            try:
                return operation() if at_once else await self._watch.result_of(operation)
            except SSL.WantReadError:
                at_once = False
                continue
            except SSL.WantWriteError:
                at_once = True
            except (SSL.Error, OSError) as exc:
                raise _lost(exc) from exc

            # Not while handling the exception, whose traceback would be kept for as long.
            await anyio.wait_writable(self._socket)
            self.peer_timeout.renew()


def _peer_chain(connection: SSL.Connection) -> tuple[x509.Certificate, ...]:
    # On the server's side OpenSSL leaves the leaf out of the chain.
    others = connection.get_peer_cert_chain() or ()
    if len(others) >= MAX_CHAIN:
        raise PeerLostError(f"a chain of over {MAX_CHAIN} certificates", explained=True)

    try:
        with warnings.catch_warnings(action="ignore"):  # of serial numbers below one
            leaf = connection.get_peer_certificate(as_cryptography=True)
            return () if leaf is None else (leaf, *(each.to_cryptography() for each in others))
    except UNREADABLE as exc:
        raise PeerLostError("the certificate cannot be read", explained=True) from exc


def _lost(error: Exception) -> PeerLostError:
    match error:
        case SSL.Error(args=(list() as errors,)) if errors:
            return PeerLostError(errors[-1][2], explained=True)
        case _:
            return PeerLostError("the peer has gone", explained=False)
