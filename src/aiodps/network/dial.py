"""The dialler of all transports: look-up, TCP, proxy, TLS, on asyncio and trio, without a thread.

Sockets are non-blocking, with TLS directly on top. Each operation is tried first and waits only if
TLS asks for it, because TLS may hold decrypted bytes that the socket does not report.

On Windows, asyncio's default (proactor) event loop cannot wait for sockets. anyio then waits for
all connections in one helper thread: this works, but is slower than a selector event loop, and
`select` is limited to 512 sockets there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar

import anyio
import anyio.lowlevel

from aiodps.attestation.base import ClientCertificate
from aiodps.errors import (
    ConnectionLostError,
    ProvisioningError,
    ServerIdentityError,
    TlsProtocolError,
    TransportError,
    TransportTimeoutError,
)
from aiodps.models import Phase
from aiodps.network.endpoint import Endpoint
from aiodps.network.event_loop import until_readable, until_writable
from aiodps.network.handshake_limiter import Slot, limiter_for
from aiodps.network.resolve import Address, is_literal, resolve
from aiodps.network.tls_contexts import TLS_CONTEXTS, drop_identity
from aiodps.network.tls_errors import translate
from aiodps.network.tunnel import hint_at, open_tunnel
from aiodps.observe import StepKind

TCP_TIMEOUT = 10.0
"""Seconds for the TCP connection, all addresses together."""
TLS_TIMEOUT = 10.0
"""Seconds that the server may be silent in the TLS handshake, in total."""
ATTEMPT_DELAY = 0.25
"""Seconds before the next address is tried as well (Connection Attempt Delay, RFC 8305)."""

RECORD = 16 * 1024
"""Bytes read at once: as much as one TLS record holds."""
NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a non-blocking TLS socket raises if it has to wait."""

_VERSIONS = {"TLSv1.2", "TLSv1.3"}

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}

T = TypeVar("T")
_Wait: TypeAlias = Callable[[socket.socket, float], Awaitable[bool]]


class Connection:
    """A TLS connection after its handshake, for one reader and one writer."""

    def __init__(self, sock: ssl.SSLSocket, host: str) -> None:
        self.socket = sock
        """The non-blocking socket, for callers that read and write it themselves."""
        self.host = host
        """The host it leads to, as requested."""
        self._waits = 0

    def receive_nowait(self, max_bytes: int = RECORD) -> bytes | None:
        """Return what has arrived: None if nothing has, b"" if the server closed the connection.

        Raises:
            ConnectionLostError: If the connection was lost, or closed by this side meanwhile.
            ClientCertificateRejectedError: If the server rejected the device's certificate, which
                TLS 1.3 reports only after the handshake.
            TlsProtocolError: If the TLS data is invalid.
        """
        try:
            return self.socket.recv(max_bytes)
        except NOT_NOW:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except OSError as exc:
            raise translate(exc, phase=Phase.SESSION, host=self.host) from exc

    async def receive(self, max_bytes: int = RECORD) -> bytes:
        """Return what has arrived, waiting for it, or b"" if the server closed the connection.

        Raises:
            TransportError: As `receive_nowait`.
            TlsError: As `receive_nowait`.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        while (data := self.receive_nowait(max_bytes)) is None:
            await self._wait(anyio.wait_readable)

        return data

    async def send(self, data: bytes | memoryview) -> None:
        """Send everything, without a checkpoint if there is nothing to wait for.

        Raises:
            ConnectionLostError: If the connection was lost, or closed by this side meanwhile. What
                the server sent before, such as an alert, can still be received.
            TlsProtocolError: If the TLS data is invalid.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except ssl.SSLWantWriteError:
                await self._wait(anyio.wait_writable)
            except ssl.SSLWantReadError:
                await self._wait(anyio.wait_readable)
            except OSError as exc:
                raise translate(exc, phase=Phase.SESSION, host=self.host) from exc

    async def _wait(self, wait: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._waits += 1
        try:
            await wait(self.socket)
        except anyio.ClosedResourceError as exc:
            raise ConnectionLostError("the connection was closed by this side").locate(
                phase=Phase.SESSION
            ) from exc
        finally:
            self._waits -= 1

    def release_buffer(self) -> None:
        """Give back the write buffer until something is sent; raises nothing.

        OpenSSL 3.0 makes one of 16 KiB to read session tickets, which come with the first
        response, and frees it with the next write. An empty write does that, and sends nothing.
        """
        with contextlib.suppress(OSError):
            self.socket.send(b"")

    def close(self) -> None:
        """Close at once, without a TLS close_notify; may be called repeatedly, raises nothing."""
        if self._waits:
            anyio.notify_closing(self.socket)

        with contextlib.suppress(OSError):
            self.socket.close()


async def dial(endpoint: Endpoint) -> Connection:
    """Open a TLS connection to the service, with the device's identity.

    Time limits: 5 s for the look-up; then, from the moment that the handshake limiter grants a
    slot, 10 s for TCP, 10 s for the proxy if there is one, and 10 s for TLS.

    Raises:
        TransportError: If no connection could be opened.
        TlsError: If one of the two sides did not accept the other.
        CredentialError: If the device's certificate or key cannot be loaded.
    """
    limiter = limiter_for(*endpoint.server, via=endpoint.proxy)
    try:
        addresses = await _look_up(endpoint, limiter.now)
        endpoint.report.phase = Phase.QUEUE
        began = limiter.now()
        async with limiter.slot() as slot:
            if slot.queued:
                endpoint.report(StepKind.DEQUEUED, Phase.QUEUE, took=slot.started - began)

            sock = await _reach(endpoint, addresses, slot)
            return await _secure(endpoint, sock, slot)
    except TransportError as error:
        if endpoint.proxy is not None:
            hint_at(endpoint.proxy, error)

        raise


async def _look_up(endpoint: Endpoint, now: Callable[[], float]) -> tuple[Address, ...]:
    look_up = resolve(*endpoint.first_hop)
    if is_literal(endpoint.first_hop[0]):
        return await look_up

    return await _timed(endpoint, StepKind.RESOLVED, Phase.DNS, look_up, now)


async def _reach(endpoint: Endpoint, addresses: tuple[Address, ...], slot: Slot) -> socket.socket:
    """Return a socket that leads to the service, directly or through the proxy."""
    connect = _connect(endpoint, addresses, slot)
    sock = await _timed(endpoint, StepKind.CONNECTED, Phase.TCP, connect, slot.now)
    if endpoint.proxy is not None:
        tunnel = open_tunnel(endpoint, endpoint.proxy, sock, slot)
        try:
            await _timed(endpoint, StepKind.TUNNEL_OPENED, Phase.PROXY, tunnel, slot.now)
        except BaseException:
            sock.close()
            raise

    return sock


async def _secure(endpoint: Endpoint, sock: socket.socket, slot: Slot) -> Connection:
    """Perform the TLS handshake, and report its time and that for which it was held back."""
    endpoint.report.phase = Phase.TLS
    began = slot.now()
    connection = await _handshake(endpoint, sock, slot)
    took = slot.now() - began
    if slot.held_back:
        endpoint.report(StepKind.DEQUEUED, Phase.QUEUE, took=slot.held_back)

    endpoint.report(StepKind.SECURED, Phase.TLS, took=took - slot.held_back)
    return connection


async def _timed(
    endpoint: Endpoint,
    kind: StepKind,
    phase: Phase,
    work: Awaitable[T],
    now: Callable[[], float],
) -> T:
    endpoint.report.phase = phase
    began = now()
    result = await work
    endpoint.report(kind, phase, took=now() - began)
    return result


async def _connect(
    endpoint: Endpoint, addresses: tuple[Address, ...], slot: Slot
) -> socket.socket:
    """Open a TCP connection to the address that accepts first."""
    host, _ = endpoint.first_hop
    try:
        if len(addresses) == 1:
            return await _connect_one(addresses[0], slot)

        with anyio.fail_after(TCP_TIMEOUT):
            return await _race(addresses, slot)
    except TimeoutError as exc:
        raise TransportTimeoutError(
            f"{host!r} did not accept a connection within {TCP_TIMEOUT:g} s"
        ).locate(phase=Phase.TCP) from exc
    except OSError as exc:
        raise translate(exc, phase=Phase.TCP, host=host) from exc


async def _race(addresses: tuple[Address, ...], slot: Slot) -> socket.socket:
    """Connect to the first address, and to the next ones if that takes long (Happy Eyeballs)."""
    connected: list[socket.socket] = []
    failures: list[OSError] = []
    try:
        async with anyio.create_task_group() as tasks:

            async def attempt(address: Address, failed: anyio.Event) -> None:
                try:
                    connected.append(await _connect_one(address, slot))
                    tasks.cancel_scope.cancel()
                except OSError as exc:
                    failures.append(exc)
                    failed.set()

            for address in addresses:
                failed = anyio.Event()
                tasks.start_soon(attempt, address, failed)
                with anyio.move_on_after(ATTEMPT_DELAY):
                    await failed.wait()

        if not connected:
            # A refusal tells more than an address family that has no route from here.
            raise next((one for one in failures if one.errno not in _UNREACHABLE), failures[0])

        return connected.pop(0)
    finally:
        for sock in connected:
            sock.close()


async def _connect_one(address: Address, slot: Slot) -> socket.socket:
    """Connect to an address, within the time for all of them."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Otherwise a small packet may wait 40 ms for the acknowledgement of the previous one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(address.sockaddr)
        except BlockingIOError:
            await slot.wait(partial(until_writable, sock), limit=TCP_TIMEOUT)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None
    except BaseException:
        sock.close()
        raise

    return sock


async def _handshake(endpoint: Endpoint, plain: socket.socket, slot: Slot) -> Connection:
    """Perform the TLS handshake on a connected socket, one step in each turn."""
    sock = plain
    try:
        async with slot.turn():
            sock = tls = _wrap(endpoint, plain)
            wait = _take_step(tls)

        end = slot.waited + TLS_TIMEOUT  # only waits for the server are counted
        while wait is not None:
            await slot.wait(partial(wait, tls), limit=end - slot.waited)
            async with slot.turn():
                wait = _take_step(tls)

        _check_established(tls, endpoint.host)
        if isinstance(endpoint.identity, ClientCertificate):
            drop_identity(tls)
    except OSError as exc:
        error = _handshake_error(exc, endpoint, sock)
        sock.close()
        raise error from exc
    except BaseException:
        sock.close()
        raise

    return Connection(tls, endpoint.host)


def _handshake_error(exc: OSError, endpoint: Endpoint, sock: socket.socket) -> ProvisioningError:
    """Return an error of the handshake as one of aiodps; the socket is still open."""
    if isinstance(exc, TimeoutError) and exc.errno is None:  # the kernel's has a number
        return TransportTimeoutError(
            f"the TLS handshake with {endpoint.host!r} took more than {TLS_TIMEOUT:g} s"
        ).locate(phase=Phase.TLS)

    tls = sock if isinstance(sock, ssl.SSLSocket) else None
    return translate(exc, phase=Phase.TLS, host=endpoint.host, sock=tls)


def _check_established(sock: ssl.SSLSocket, host: str) -> None:
    """Refuse a connection that is not what every context promises, whoever made the context.

    OpenSSL verifies nothing where no certificate is needed: with anonymous cipher suites and with
    pre-shared keys. And a caller's context can be changed between its check and the handshake.
    """
    if sock.getpeercert(binary_form=True) is None:
        raise ServerIdentityError(
            f"{host!r} presented no certificate",
            reason="no_certificate",
            hint="allow no anonymous cipher suites and no pre-shared keys in the SSLContext",
        )

    cipher = sock.cipher()
    if sock.version() not in _VERSIONS or cipher is None or not cipher[2]:
        name = "no cipher" if cipher is None else cipher[0]
        raise TlsProtocolError(
            f"{host!r} chose {sock.version()} with {name}, which is not secure",
            reason="version" if cipher and cipher[2] else "no_encryption",
        )


def _take_step(sock: ssl.SSLSocket) -> _Wait | None:
    """Take a step of the handshake; return what to wait for next, or None if it is done."""
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return until_readable
    except ssl.SSLWantWriteError:
        return until_writable

    return None


def _check_connected(sock: socket.socket) -> None:
    """Raise the error that has ended a connection; `wrap_socket` would leave the socket open."""
    if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))


def _wrap(endpoint: Endpoint, plain: socket.socket) -> ssl.SSLSocket:
    try:
        _check_connected(plain)
        return TLS_CONTEXTS.wrap(
            plain,
            identity=endpoint.identity,
            trust=endpoint.trust,
            server_hostname=endpoint.host,
        )
    except ssl.SSLError as exc:
        # Python checks whether the peer is still connected, and raises this if not.
        raise ConnectionLostError(
            "the server closed the connection before the TLS handshake"
        ).locate(phase=Phase.TLS) from exc
