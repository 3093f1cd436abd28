"""Tunnels: the handshake with a proxy, over a connected socket, within a time limit."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio

from aiodps.errors import ResourceError, TransportError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.network.endpoint import Endpoint
from aiodps.network.event_loop import until_readable, until_writable
from aiodps.network.handshake_limiter import Slot
from aiodps.network.proxy import Proxy
from aiodps.network.proxy_handshake import Handshake, start
from aiodps.network.tls_errors import translate

PROXY_TIMEOUT = 10.0
"""Seconds for the handshake with a proxy, which connects to the service meanwhile."""
_CHUNK = 4096

T = TypeVar("T")


async def open_tunnel(endpoint: Endpoint, proxy: Proxy, sock: socket.socket, slot: Slot) -> None:
    """Have a proxy connect a socket, which leads to it, to the service.

    Raises:
        ProxyError: If it does not.
        TransportTimeoutError: If it takes more than 10 s.
        ConnectionLostError: If the connection to it is lost.
    """
    try:
        with anyio.fail_after(PROXY_TIMEOUT):
            await _run(start(proxy, *endpoint.server), sock, slot)
    except TimeoutError as exc:
        raise TransportTimeoutError(
            f"the proxy {proxy} did not connect to the service within {PROXY_TIMEOUT:g} s",
            hint="it may wait for the service: check that it can reach endpoint and port",
        ).locate(phase=Phase.PROXY) from exc
    except OSError as exc:
        raise translate(exc, phase=Phase.PROXY, host=proxy.host) from exc
    except TransportError as error:
        error.locate(phase=Phase.PROXY)
        raise


async def _run(handshake: Handshake, sock: socket.socket, slot: Slot) -> None:
    """Take the steps of a handshake: a proxy answers a request, and never speaks first."""
    sending = next(handshake)
    while True:
        while sending:
            sent = await _when(until_writable, sock, slot, partial(sock.send, sending))
            sending = sending[sent:]

        arrived = await _when(until_readable, sock, slot, partial(sock.recv, _CHUNK))
        try:
            sending = handshake.send(arrived)
        except StopIteration:
            return


async def _when(
    wait: Callable[[socket.socket, float], Awaitable[bool]],
    sock: socket.socket,
    slot: Slot,
    operation: Callable[[], T],
) -> T:
    while True:
        try:
            return operation()
        except BlockingIOError:
            await slot.wait(partial(wait, sock))


def hint_at(proxy: Proxy, error: TransportError) -> None:
    """Let an error say that it was the proxy, and not the service, that could not be reached."""
    if error.phase in {Phase.DNS, Phase.TCP} and not isinstance(error, ResourceError):
        error.hint = f"this was the way to the proxy {proxy}: check its host and port"
