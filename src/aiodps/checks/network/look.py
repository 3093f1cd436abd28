"""Look: what a server presents to any client, trusted or not. For diagnosis only.

This is the one place that takes a server's certificate unverified. It sends nothing but a TLS
handshake without any client certificate, and closes: nothing is ever provisioned over it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.abc import SocketStream
from cryptography import x509

from aiodps.checks.model.plan import Plan
from aiodps.errors import ConnectError, TransportError
from aiodps.models import Phase
from aiodps.network.dial import TCP_TIMEOUT, TLS_TIMEOUT
from aiodps.network.proxy_handshake import Handshake, start
from aiodps.network.resolve import resolve
from aiodps.network.server_identity import presented_certificates
from aiodps.network.tunnel import PROXY_TIMEOUT

_CONTENT_TYPES: Final = range(20, 24)
"""First byte of a TLS record, RFC 8446 5.1."""
_MAJOR_VERSION: Final = 3
"""Second byte of a TLS record."""
_KEPT: Final = 2048
"""Bytes kept of what is not TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a server presented."""

    certificates: tuple[x509.Certificate, ...] = ()
    """Leaf first; empty if it presented none."""
    version: str | None = None
    """The TLS version that it chose, like "TLSv1.2"; None if there was no handshake."""
    plain: bytes = b""
    """The beginning of what it sent, if that was not TLS."""
    reached: bool = True
    """Whether there was a TCP connection."""


async def look_at(plan: Plan, port: int, address: str) -> Presented:
    """Look at what a server presents; it presents nothing if it cannot be connected to."""
    endpoint = plan.endpoint(port)
    try:
        with anyio.fail_after(TCP_TIMEOUT):
            stream = await plan.connect(address, endpoint.first_hop[1])
    except OSError:  # also a time-out
        return Presented(reached=False)

    try:
        if plan.proxy is not None:
            await _pass(start(plan.proxy, *endpoint.server), stream)

        return await _shake_hands(stream, plan.host)
    except (TransportError, TimeoutError):  # the proxy's
        return Presented(reached=False)
    finally:
        await anyio.aclose_forcefully(stream)


async def _pass(handshake: Handshake, stream: SocketStream) -> None:
    """Take the steps of a handshake with a proxy."""
    sending = next(handshake)
    with anyio.fail_after(PROXY_TIMEOUT):
        while True:
            try:
                await stream.send(bytes(sending))
                arrived = await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                arrived = b""

            try:
                sending = handshake.send(arrived)
            except StopIteration:
                return


async def _shake_hands(stream: SocketStream, host: str) -> Presented:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _context().wrap_bio(incoming, outgoing, server_hostname=host)
    received = b""
    with anyio.move_on_after(TLS_TIMEOUT):
        while not _shaken(tls):
            try:
                await stream.send(outgoing.read())
                data = await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                break

            received += data[: _KEPT - len(received)]
            incoming.write(data)

    return Presented(
        certificates=presented_certificates(tls),
        version=tls.version(),
        plain=b"" if _is_tls(received) else received,
    )


def _shaken(tls: ssl.SSLObject) -> bool:
    """Take a step of the handshake; return whether it is over, in whatever way."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True

    return True


def _context() -> ssl.SSLContext:
    """Return a context that accepts every server, version and key, to see what they are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _is_tls(data: bytes) -> bool:
    return not data or (data[0] in _CONTENT_TYPES and data[1:2] in {b"", bytes([_MAJOR_VERSION])})


async def look_at_host(plan: Plan, port: int) -> Presented:
    """Look at what an endpoint presents, at the first of its addresses that accepts connections.

    Raises:
        TransportError: If it has no address, or none accepts connections.
    """
    host, first_port = plan.first_hop(port)
    for address in await resolve(host, first_port):
        presented = await look_at(plan, port, address.sockaddr[0])
        if presented.reached:
            return presented

    raise ConnectError(f"no address of {plan.host!r} accepts connections at port {port}").locate(
        phase=Phase.TCP
    )
