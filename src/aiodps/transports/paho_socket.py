"""The socket that paho reads and writes: it passes on complete, checked packets."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from aiodps.errors import ConnectionLostError
from aiodps.models import Phase
from aiodps.network.tls_errors import translate
from aiodps.protocol.mqtt_packets import Inbound
from aiodps.transports.websocket import ByteConnection

_RECORD = 16 * 1024
"""Bytes read at once: as much as one TLS record holds."""


class PahoSocket:
    """A connection with the interface of a socket, for paho.

    paho accepts packets of any size, hides errors of the operating system and of TLS, and does not
    check who may send what. So it never reads from the network: it gets complete packets that have
    passed `Inbound` and `on_received`. Failures are raised as errors of aiodps, which paho does
    not catch because it catches `OSError` only.
    """

    def __init__(
        self,
        connection: ByteConnection,
        *,
        on_received: Callable[[bytes], None],
        on_sent: Callable[[bytes], None],
    ) -> None:
        """Take over an open connection.

        Args:
            connection: The connection, owned by this socket from now on.
            on_received: Called with each packet before paho gets it; may raise to reject it.
            on_sent: Called with each packet when its last byte has been sent.
        """
        self._connection = connection
        self._socket = connection.socket
        self._on_received = on_received
        self._on_sent = on_sent
        self._inbound = Inbound()
        self._packet = b""
        self._outgoing = b""

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes of one packet.

        Raises:
            SSLWantReadError: If no packet is complete yet.
            ProvisioningError: If the connection was lost, or the packet is not allowed.
        """
        if not self._packet:
            self._packet = self._next_packet()

        chunk, self._packet = self._packet[:size], self._packet[size:]
        return chunk

    def pending(self) -> int:
        """Return nonzero if `recv` would succeed although the socket may not be readable."""
        return len(self._packet) or int(self._inbound.ready) or self._socket.pending()

    def _next_packet(self) -> bytes:
        while (packet := self._inbound.pop()) is None:
            self._inbound.feed(self._receive())

        self._on_received(packet)
        return packet

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_RECORD)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as exc:
            raise translate(exc, phase=Phase.SESSION, host=self._connection.host) from exc

        if not data:
            where = " in the middle of a packet" if self._inbound.cut_short else ""
            raise ConnectionLostError(f"the service closed the connection{where}")

        return data

    def send(self, data: bytes | bytearray) -> int:
        """Send the rest of a packet, or a part of it; return the number of bytes sent.

        Raises:
            SSLWantWriteError: If nothing can be sent now.
            ConnectionLostError: If the connection was lost; `recv` may still tell why.
        """
        try:
            sent = self._socket.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as exc:
            raise translate(exc, phase=Phase.SESSION, host=self._connection.host) from exc

        self._outgoing += data[:sent]
        if sent == len(data):
            packet, self._outgoing = self._outgoing, b""
            self._on_sent(packet)

        return sent

    def fileno(self) -> int:
        """Return the file descriptor, for the event loop to watch."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 (a socket's own signature)
        """Do nothing: the socket stays non-blocking."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
