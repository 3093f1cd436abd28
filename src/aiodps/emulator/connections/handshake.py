"""How TLS begins on a port, and what may go wrong with that on purpose."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, replace
from typing import Protocol

from anyio.abc import TaskGroup
from OpenSSL import SSL

from aiodps.emulator.connections.deliver import deliver, end
from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.connections.plain import PlainStream
from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.throttled_socket import throttled
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.connections.tls import TlsStream

log = logging.getLogger(__name__)


class HandshakeHook(Protocol):
    """Decides about connections that begin, and is told of those that come to nothing."""

    def on_accept(self) -> Delivery | None:
        """Say what happens to a connection before anything is read."""
        ...

    def on_failure(self, reason: str) -> None:
        """Take down a handshake that failed without our doing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsHandshake:
    """The TLS handshake of a port: makes a stream of a connection, or goes wrong on purpose."""

    context: SSL.Context
    """Of the server."""
    hook: HandshakeHook | None = None
    """Decides about connections; None to let everybody in."""

    async def accept(
        self, sock: socket.socket, peer_timeout: PeerTimeout, tasks: TaskGroup
    ) -> TlsStream:
        """Shake hands.

        Args:
            sock: The connection; stays the caller's.
            peer_timeout: Of the connection.
            tasks: Where a slow line is kept up.

        Raises:
            PeerLostError: If the two could not agree, or were not meant to.
        """
        delivery = None if self.hook is None else self.hook.on_accept()
        if delivery is None:
            return await self._shake_hands(sock, peer_timeout)

        await _before_handshake(PlainStream(sock, peer_timeout), delivery)
        line = throttled(sock, delivery, tasks) if delivery.drip or delivery.truncate else sock
        try:
            stream = await self._shake_hands(line, peer_timeout)
            if delivery.ending is not None:
                await end(stream, delivery.ending)
        except BaseException:
            line.close()
            raise

        return stream

    async def _shake_hands(self, sock: socket.socket, peer_timeout: PeerTimeout) -> TlsStream:
        try:
            return await TlsStream.accept(sock, self.context, peer_timeout)
        except PeerLostError as exc:
            # What TLS says of a failure is worth reading: a device is misconfigured.
            log.log(
                logging.INFO if exc.explained else logging.DEBUG, "TLS handshake failed: %s", exc
            )
            if exc.explained and self.hook is not None:
                self.hook.on_failure(str(exc))

            raise


async def _before_handshake(stream: PlainStream, delivery: Delivery) -> None:
    """Do what a fault wants before the handshake.

    Raises:
        PeerLostError: If there will be none.
    """
    if delivery.alert is not None or delivery.garbage is not None:
        await stream.receive()  # the ClientHello, so that this is an answer to it
        alert = b"" if delivery.alert is None else _alert(delivery.alert)
        answer = replace(delivery, ending=delivery.ending or Ending.CLOSE, sent=True)
        await deliver(stream, alert, answer)

    # With `sent` the connection ends behind the handshake.
    ending = None if delivery.sent else delivery.ending
    await deliver(stream, b"", replace(delivery, truncate=None, ending=ending))


def _alert(code: int) -> bytes:
    """Write a fatal alert in answer to a ClientHello, in the clear (RFC 8446, 5.1 and 6)."""
    return bytes((21, 3, 3, 0, 2, 2, code))
