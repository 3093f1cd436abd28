"""The dialler under both transports: look-up, TCP, TLS, on asyncio and trio, without a thread.

Sockets are non-blocking, and TLS is spoken on them directly: always the operation first, and a
wait only when it asks for one, because TLS may hold decrypted bytes that the socket no longer
shows.

On Windows, asyncio's default (proactor) event loop cannot wait for sockets. anyio then waits in
one helper thread of its own for all connections: the dialler works, slower than on a selector
loop, and `select` there takes 512 sockets at most.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio
import anyio.lowlevel

from aiodps.errors import ConnectionLostError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.network.endpoint import Endpoint
from aiodps.network.handshake_limiter import Slot, current_limiter, round_trip
from aiodps.network.resolve import Address, is_literal, resolve
from aiodps.network.tls_contexts import TLS_CONTEXTS
from aiodps.network.tls_errors import classify
from aiodps.observe import StepKind

TCP_TIMEOUT = 10.0
"""Seconds for TCP, all addresses together."""
TLS_TIMEOUT = 10.0
"""Seconds for the TLS handshake."""
HEAD_START = 0.25
"""Seconds before the next address is tried as well (RFC 8305)."""

_NOWHERE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}

T = TypeVar("T")


class Connection:
    """One TLS connection, handshake done; for one reader and one writer."""

    def __init__(self, sock: ssl.SSLSocket, host: str) -> None:
        self.socket = sock
        """The non-blocking socket, for those who drive it themselves."""
        self.host = host
        """Whom it leads to, as it was asked for."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return what has arrived, or b"" if the server has closed the connection.

        Raises:
            ConnectionLostError: If the connection broke, or was closed here in the meantime.
            ClientCertificateRejectedError: If the server refused the device's certificate, which
                under TLS 1.3 is heard of only here.
            TlsProtocolError: If TLS broke.
        """
        try:
            return await self._try_first(lambda: self.socket.recv(max_bytes))
        except ssl.SSLZeroReturnError:
            return b""
        except OSError as exc:
            raise classify(exc, phase=Phase.SESSION, host=self.host) from exc

    async def send(self, data: bytes) -> None:
        """Send everything.

        Raises:
            ConnectionLostError: If the connection broke, or was closed here in the meantime. What
                the server had said before, an alert perhaps, can still be received.
            TlsProtocolError: If TLS broke.
        """
        rest = memoryview(data)
        try:
            while rest:
                sent = await self._try_first(lambda: self.socket.send(rest))  # noqa: B023 (awaited at once)
                rest = rest[sent:]
        except OSError as exc:
            raise classify(exc, phase=Phase.SESSION, host=self.host) from exc

    async def _try_first(self, operation: Callable[[], T]) -> T:
        try:
            return await try_first(self.socket, operation)
        except anyio.ClosedResourceError as exc:
            raise ConnectionLostError("the connection was closed here").locate(
                phase=Phase.SESSION
            ) from exc

    def close(self) -> None:
        """Close at once, without good-bye; may be called more than once, and raises nothing."""
        if self.socket.fileno() < 0:
            return

        # Somebody may be waiting; outside an event loop nobody is.
        with contextlib.suppress(RuntimeError):
            anyio.notify_closing(self.socket)

        with contextlib.suppress(OSError):
            self.socket.close()


async def dial(endpoint: Endpoint) -> Connection:
    """Make a connection to the service, as the device.

    Time limits: 5 s to look the name up, then, from the moment the device gets its place in the
    gate, 10 s for TCP and 10 s for TLS.

    Raises:
        TransportError: If there was no connection to be had.
        TlsError: If one of the two sides did not believe the other.
        CredentialError: If the device's key cannot be loaded.
    """
    if is_literal(endpoint.host):
        addresses = await resolve(endpoint.host, endpoint.port)
    else:
        look_up = resolve(endpoint.host, endpoint.port)
        addresses = await _timed(endpoint, StepKind.RESOLVED, Phase.DNS, look_up)

    endpoint.report.phase = Phase.TCP
    async with current_limiter().slot() as slot:
        sock = await _timed(
            endpoint, StepKind.CONNECTED, Phase.TCP, _connect(endpoint, addresses, slot)
        )
        return await _timed(endpoint, StepKind.SECURED, Phase.TLS, _secure(endpoint, sock, slot))


async def _timed(endpoint: Endpoint, kind: StepKind, phase: Phase, work: Awaitable[T]) -> T:
    endpoint.report.phase = phase
    began = anyio.current_time()
    result = await work
    endpoint.report(kind, phase, took=anyio.current_time() - began)
    return result


async def _connect(
    endpoint: Endpoint, addresses: tuple[Address, ...], slot: Slot
) -> socket.socket:
    """Open a TCP connection to the address that answers first."""
    try:
        with anyio.fail_after(TCP_TIMEOUT):
            sock = await _race(addresses, slot)
    except TimeoutError as exc:
        raise TransportTimeoutError(
            f"{endpoint.host!r} did not answer within {TCP_TIMEOUT:g} s"
        ).locate(phase=Phase.TCP) from exc
    except OSError as exc:
        raise classify(exc, phase=Phase.TCP, host=endpoint.host) from exc

    current_limiter().record_rtt(round_trip(sock))
    return sock


async def _race(addresses: tuple[Address, ...], slot: Slot) -> socket.socket:
    """Connect to the first address, and to the next ones if it takes long (happy eyeballs)."""
    if len(addresses) == 1:
        return await _connect_one(addresses[0], slot)

    connected: list[socket.socket] = []
    losses: list[OSError] = []
    try:
        async with anyio.create_task_group() as tasks:

            async def compete(address: Address, lost: anyio.Event) -> None:
                try:
                    connected.append(await _connect_one(address, slot))
                    tasks.cancel_scope.cancel()
                except OSError as exc:
                    losses.append(exc)
                    lost.set()

            for address in addresses:
                lost = anyio.Event()
                tasks.start_soon(compete, address, lost)
                with anyio.move_on_after(HEAD_START):
                    await lost.wait()

        if not connected:
            # An address of a family that leads nowhere from here tells less than a refusal.
            raise next((one for one in losses if one.errno not in _NOWHERE), losses[0])

        return connected.pop(0)
    finally:
        for sock in connected:
            sock.close()


async def _connect_one(address: Address, slot: Slot) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    with _closed_on_error(sock):
        sock.setblocking(False)
        # Without this a small packet may wait 40 ms for the acknowledgement of the last one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(address.sockaddr)
        except BlockingIOError:
            await slot.wait(lambda: anyio.wait_writable(sock))
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None

    return sock


async def _secure(endpoint: Endpoint, plain: socket.socket, slot: Slot) -> Connection:
    """Shake hands."""
    with _closed_on_error(plain):
        sock = _wrap(endpoint, plain)

    with _closed_on_error(sock):
        try:
            with anyio.fail_after(TLS_TIMEOUT):
                await try_first(sock, sock.do_handshake, slot)
        except TimeoutError as exc:
            raise TransportTimeoutError(
                f"{endpoint.host!r} did not shake hands (TLS) within {TLS_TIMEOUT:g} s"
            ).locate(phase=Phase.TLS) from exc
        except OSError as exc:
            raise classify(exc, phase=Phase.TLS, host=endpoint.host, sock=sock) from exc

    return Connection(sock, endpoint.host)


def _wrap(endpoint: Endpoint, plain: socket.socket) -> ssl.SSLSocket:
    try:
        return TLS_CONTEXTS.wrap(
            plain,
            identity=endpoint.identity,
            trust=endpoint.trust,
            transport=endpoint.report.transport,
            server_hostname=endpoint.host,
        )
    except ssl.SSLError as exc:
        # Python looks whether the peer is still there, and calls it this if not.
        raise ConnectionLostError("the server closed the connection before TLS began").locate(
            phase=Phase.TLS
        ) from exc
    except OSError as exc:
        raise classify(exc, phase=Phase.TLS, host=endpoint.host) from exc


@contextlib.contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


async def try_first(
    sock: ssl.SSLSocket, operation: Callable[[], T], slot: Slot | None = None
) -> T:
    """Carry out a non-blocking TLS operation: try, and wait only as long as TLS asks for it."""
    await anyio.lowlevel.checkpoint_if_cancelled()
    while True:
        try:
            return operation()
        except ssl.SSLWantReadError:
            wait = anyio.wait_readable
        except ssl.SSLWantWriteError:
            wait = anyio.wait_writable

        if slot is None:
            await wait(sock)
        else:
            await slot.wait(lambda: wait(sock))  # noqa: B023 (awaited at once)
