"""How TLS begins on a port, and what may go wrong with that on purpose."""

from __future__ import annotations

import contextlib
import logging
import socket
from dataclasses import replace
from typing import Protocol

from cryptography import x509
from OpenSSL import SSL

from aiodps.emulator.connections.patience import Patience
from aiodps.emulator.connections.plain import PlainStream, linger, reset
from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.tls import TlsStream
from aiodps.emulator.faults.deliver import deliver, end
from aiodps.emulator.wire import Delivery, Ending

_INTERNAL_ERROR = 80

log = logging.getLogger(__name__)


class Door(Protocol):
    """Decides about connections that begin, and is told of those that come to nothing."""

    def knock(self) -> Delivery | None:
        """Say what happens to a connection before anything is read."""
        ...

    def show(self, certificate: x509.Certificate) -> Delivery | None:
        """Say what happens in the middle of the handshake to who shows this certificate."""
        ...

    def fail(self, reason: str) -> None:
        """Take down a handshake that failed without our doing."""
        ...


async def shake_hands(
    sock: socket.socket, context: SSL.Context, patience: Patience, door: Door | None
) -> TlsStream:
    """Shake hands.

    Raises:
        PeerLostError: If the two could not agree, or were not meant to.
    """
    check = _Check(sock, door)
    try:
        await check.begin(patience)
        stream = await TlsStream.accept(sock, context, patience, judge=check.judge)
    except PeerLostError as exc:
        # What TLS says of a failure is worth reading: a device is misconfigured.
        log.log(logging.INFO if exc.told else logging.DEBUG, "TLS handshake failed: %s", exc)
        if check.refused:
            await linger(sock, patience)  # so that what the client sent does not cost the alert
        elif door is not None and exc.told:
            door.fail(str(exc))

        raise

    if check.ending is not None:
        await end(stream, check.ending)

    return stream


class _Check:
    """What a door says in the course of one handshake."""

    def __init__(self, sock: socket.socket, door: Door | None) -> None:
        self.refused = False
        """Whether the certificate was refused on purpose."""
        self.ending: Ending | None = None
        """How the connection ends right behind the handshake; None to go on."""
        self._socket = sock
        self._door = door

    async def begin(self, patience: Patience) -> None:
        """Do what happens before the handshake.

        Raises:
            PeerLostError: If there will be none.
        """
        delivery = None if self._door is None else self._door.knock()
        if delivery is None:
            return

        stream = PlainStream(self._socket, patience)
        if delivery.alert is not None or delivery.garbage is not None:
            await stream.receive()  # the ClientHello, so that this is an answer to it
            alert = b"" if delivery.alert is None else _alert(delivery.alert)
            answer = replace(delivery, ending=delivery.ending or Ending.CLOSE, sent=True)
            await deliver(stream, alert, answer)

        late = delivery.ending is not None and delivery.sent
        await deliver(stream, b"", replace(delivery, ending=None) if late else delivery)
        self.ending = delivery.ending

    def judge(self, certificate: x509.Certificate) -> int | None:
        """Say whether TLS goes on with this certificate: with None, or with an alert not."""
        delivery = None if self._door is None else self._door.show(certificate)
        if delivery is None:
            return None

        if delivery.alert is None and (delivery.sent or delivery.ending is Ending.SILENCE):
            self.ending = delivery.ending
            return None

        self.refused = True
        if delivery.alert is not None:
            return delivery.alert

        if delivery.ending is Ending.RESET:
            reset(self._socket)

        with contextlib.suppress(OSError):
            # Not even the alert gets through that OpenSSL wants to send.
            self._socket.shutdown(socket.SHUT_WR)

        return _INTERNAL_ERROR


def _alert(code: int) -> bytes:
    """Write a fatal alert in answer to a ClientHello, in the clear (RFC 8446, 5.1 and 6)."""
    return bytes((21, 3, 3, 0, 2, 2, code))
