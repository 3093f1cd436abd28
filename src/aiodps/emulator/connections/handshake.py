"""TLS handshakes, with their faults."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, replace
from typing import Final, Protocol

from anyio.abc import TaskGroup
from OpenSSL import SSL

from aiodps.emulator.connections.deliver import deliver, end
from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.connections.plain import PlainStream
from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.throttled_socket import throttled
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.connections.tls import TlsStream

log: Final = logging.getLogger(__name__)


class HandshakeHook(Protocol):
    """Draws the faults of handshakes, and records failed ones."""

    def on_accept(self) -> Delivery | None:
        """Return the fault of a new connection; None for none."""
        ...

    def on_failure(self, reason: str) -> None:
        """Record a handshake that failed without a fault."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsHandshake:
    """The TLS handshake of a port, which makes a stream of a connection."""

    context: SSL.Context
    """The server's TLS context."""
    hook: HandshakeHook | None = None
    """Source of faults; None for none."""

    async def accept(
        self, sock: socket.socket, peer_timeout: PeerTimeout, tasks: TaskGroup
    ) -> TlsStream:
        """Perform the handshake, or the fault in its place.

        Args:
            sock: The connection; the caller closes it.
            peer_timeout: Of the connection.
            tasks: For the task of a throttled connection.

        Raises:
            PeerLostError: If the handshake fails.
        """
        delivery = None if self.hook is None else self.hook.on_accept()
        if delivery is None:
            return await self._shake_hands(sock, peer_timeout)

        await _before_handshake(PlainStream(sock, peer_timeout), delivery)
        line = throttled(sock, delivery, tasks) if delivery.drip or delivery.truncate else sock
        try:
            stream = await self._shake_hands(line, peer_timeout)
        except BaseException:
            line.close()
            raise

        if delivery.ending is None:
            return stream

        try:
            await end(stream, delivery.ending)
        finally:
            stream.close()

    async def _shake_hands(self, sock: socket.socket, peer_timeout: PeerTimeout) -> TlsStream:
        try:
            return await TlsStream.accept(sock, self.context, peer_timeout)
        except PeerLostError as exc:
            if exc.explained and self.hook is not None:
                self.hook.on_failure(str(exc))  # a device is misconfigured: in the request log
            else:
                level = logging.INFO if exc.explained else logging.DEBUG
                log.log(level, "TLS handshake failed: %s", exc)

            raise


async def _before_handshake(stream: PlainStream, delivery: Delivery) -> None:
    """Carry out a fault before the handshake.

    Raises:
        PeerLostError: If the fault ends the connection.
    """
    if delivery.alert is not None or delivery.garbage is not None:
        await stream.receive()  # the ClientHello, which the alert answers
        alert = b"" if delivery.alert is None else _alert(delivery.alert)
        answer = replace(delivery, ending=delivery.ending or Ending.CLOSE, sent=True)
        await deliver(stream, alert, answer)

    # With `sent` the connection ends after the handshake.
    ending = None if delivery.sent else delivery.ending
    await deliver(stream, b"", replace(delivery, truncate=None, ending=ending))


def _alert(code: int) -> bytes:
    """Write a fatal alert in answer to a ClientHello, in the clear (RFC 8446, 5.1 and 6)."""
    return bytes((21, 3, 3, 0, 2, 2, code))
