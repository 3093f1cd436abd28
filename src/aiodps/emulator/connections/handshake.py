"""How TLS begins on a port, and what may go wrong with that on purpose."""

from __future__ import annotations

import contextlib
import logging
import socket
from dataclasses import replace
from typing import Protocol

from anyio.abc import TaskGroup
from cryptography import x509
from OpenSSL import SSL

from aiodps.emulator.connections.patience import Patience
from aiodps.emulator.connections.plain import PlainStream, linger, reset
from aiodps.emulator.connections.slow_line import slowed
from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.tls import TlsStream
from aiodps.emulator.faults.deliver import deliver, end
from aiodps.emulator.wire import Delivery, Ending

_INTERNAL_ERROR = 80

log = logging.getLogger(__name__)


class Door(Protocol):
    """Decides about connections that begin, and is told of those that come to nothing."""

    @property
    def looks(self) -> bool:
        """Whether it wants to see certificates; it costs some to show them."""
        ...

    def knock(self) -> Delivery | None:
        """Say what happens to a connection before anything is read."""
        ...

    def show(self, certificate: x509.Certificate) -> Delivery | None:
        """Say what happens in the middle of the handshake to who shows this certificate."""
        ...

    def fail(self, reason: str) -> None:
        """Take down a handshake that failed without our doing."""
        ...


class OpenDoor:
    """Lets everybody in."""

    looks = False

    def knock(self) -> Delivery | None:
        """Say nothing."""

    def show(self, certificate: x509.Certificate) -> Delivery | None:
        """Say nothing."""

    def fail(self, reason: str) -> None:
        """Take down nothing."""


async def shake_hands(
    sock: socket.socket,
    context: SSL.Context,
    patience: Patience,
    door: Door,
    tasks: TaskGroup,
) -> TlsStream:
    """Shake hands.

    Args:
        sock: The connection; stays the caller's.
        context: Of the server.
        patience: Of the connection.
        door: Decides about it.
        tasks: Where a slow line is kept up.

    Raises:
        PeerLostError: If the two could not agree, or were not meant to.
    """
    check = _Check(sock, door)
    with contextlib.ExitStack() as failing:
        failing.callback(check.hang_up)
        stream = await _try(check, context, patience, tasks)
        failing.pop_all()

    return stream


async def _try(
    check: _Check, context: SSL.Context, patience: Patience, tasks: TaskGroup
) -> TlsStream:
    try:
        await check.begin(patience, tasks)
        judge = check.judge if check.door.looks else None
        stream = await TlsStream.accept(check.line, context, patience, judge=judge)
    except PeerLostError as exc:
        # What TLS says of a failure is worth reading: a device is misconfigured.
        log.log(logging.INFO if exc.told else logging.DEBUG, "TLS handshake failed: %s", exc)
        if check.refused:
            # So that what the client has sent does not cost it the alert.
            await linger(check.line, patience)
        elif exc.told:
            check.door.fail(str(exc))

        raise

    if check.ending is not None:
        await end(stream, check.ending)

    return stream


class _Check:
    """What a door says in the course of one handshake."""

    def __init__(self, sock: socket.socket, door: Door) -> None:
        self.line = sock
        """Where the peer is heard."""
        self.refused = False
        """Whether the certificate was refused on purpose."""
        self.ending: Ending | None = None
        """How the connection ends right behind the handshake; None to go on."""
        self._socket = sock
        self.door = door

    def hang_up(self) -> None:
        """Close the slow line, if there is one."""
        if self.line is not self._socket:
            self.line.close()

    async def begin(self, patience: Patience, tasks: TaskGroup) -> None:
        """Do what happens before the handshake.

        Raises:
            PeerLostError: If there will be none.
        """
        delivery = self.door.knock()
        if delivery is None:
            return

        stream = PlainStream(self._socket, patience)
        if delivery.alert is not None or delivery.garbage is not None:
            await stream.receive()  # the ClientHello, so that this is an answer to it
            alert = b"" if delivery.alert is None else _alert(delivery.alert)
            answer = replace(delivery, ending=delivery.ending or Ending.CLOSE, sent=True)
            await deliver(stream, alert, answer)

        late = delivery.ending is not None and delivery.sent
        await deliver(
            stream,
            b"",
            replace(delivery, truncate=None, ending=None if late else delivery.ending),
        )
        self.ending = delivery.ending
        if delivery.drip is not None or delivery.truncate is not None:
            self.line = slowed(self._socket, delivery, tasks)

    def judge(self, certificate: x509.Certificate) -> int | None:
        """Say whether TLS goes on with this certificate: with None, or with an alert not."""
        delivery = self.door.show(certificate)
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
