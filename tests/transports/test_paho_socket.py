"""The socket that paho is given: whole packets, nothing swallowed."""

from __future__ import annotations

import ssl
from typing import Any, cast

import pytest
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP, publish

from aiodps.errors import (
    ClientCertificateRejectedError,
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
)
from aiodps.network.dial import Connection
from aiodps.transports.paho_socket import PahoSocket

ALERT = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")
ALERT.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


class ScriptedSocket:
    """A TLS socket that gives, or raises, what it was told to."""

    def __init__(self, *inbound: bytes | OSError, takes: int | OSError = 1 << 20) -> None:
        self.inbound = list(inbound)
        self.takes = takes
        self.closed = False

    def recv(self, size: int) -> bytes:
        """Give the next thing."""
        if not self.inbound:
            raise ssl.SSLWantReadError

        item = self.inbound.pop(0)
        if isinstance(item, OSError):
            raise item

        assert len(item) <= size
        return item

    def send(self, data: bytes) -> int:
        """Take a part."""
        if isinstance(self.takes, OSError):
            raise self.takes

        return min(self.takes, len(data))

    def pending(self) -> int:
        """Tell what TLS holds."""
        return 0

    def fileno(self) -> int:
        """Give a number."""
        return 7

    def close(self) -> None:
        """Close."""
        self.closed = True


class Told:
    """What the socket told its owner."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.sent: list[bytes] = []


def checked(sock: ScriptedSocket) -> tuple[PahoSocket, Told]:
    """Wrap a scripted socket."""
    told = Told()
    connection = Connection(cast("ssl.SSLSocket", cast("Any", sock)), "dps.example.test")
    return (
        PahoSocket(connection, on_received=told.received.append, on_sent=told.sent.append),
        told,
    )


def test_whole_packets_only() -> None:
    """Nothing is given out of a packet that is not complete; then all of it, in any portions."""
    message = publish("a", b"x" * 10)
    sock, told = checked(ScriptedSocket(CONNACK[:3], CONNACK[3:] + message[:5]))

    assert sock.recv(1) == CONNACK[:1]
    assert sock.pending()
    assert sock.recv(100) == CONNACK[1:]
    assert not sock.pending()
    with pytest.raises(ssl.SSLWantReadError):
        sock.recv(1)

    assert told.received == [CONNACK]


def test_pending_while_a_packet_is_complete() -> None:
    """What was read along with another packet is announced: the event loop cannot see it."""
    sock, told = checked(ScriptedSocket(CONNACK + PINGRESP))
    sock.recv(4)

    assert sock.pending()
    assert sock.recv(100) == PINGRESP
    assert told.received == [CONNACK, PINGRESP]


def test_refused_packet() -> None:
    """A packet that its judge refuses never comes out."""

    def refuse(_: bytes) -> None:
        raise ProtocolError("no", reason="connack")

    connection = Connection(cast("Any", ScriptedSocket(CONNACK)), "dps.example.test")
    sock = PahoSocket(connection, on_received=refuse, on_sent=lambda _: None)

    with pytest.raises(ProtocolError):
        sock.recv(1)


@pytest.mark.parametrize(
    ("inbound", "kind", "message"),
    [
        pytest.param([b""], ConnectionLostError, "closed the connection", id="fin"),
        pytest.param([b"\x20", b""], ConnectionLostError, "in the middle of a packet", id="cut"),
        pytest.param([ConnectionResetError(104, "reset")], ConnectionLostError, "reset", id="rst"),
        pytest.param([ALERT], ClientCertificateRejectedError, "required", id="alert"),
        pytest.param([b"\x90"], ProtocolError, "CONNACK", id="protocol"),
    ],
)
def test_reading_fails(
    inbound: list[bytes | OSError], kind: type[ProvisioningError], message: str
) -> None:
    """What ends reading is raised as an error of ours, which paho does not swallow."""
    sock, _ = checked(ScriptedSocket(*inbound))
    with pytest.raises(kind, match=message) as caught:
        sock.recv(1)

    assert not isinstance(caught.value, OSError)


def test_parts_are_sent_once() -> None:
    """A packet that goes out in parts is told when it is out, whole."""
    scripted = ScriptedSocket(takes=3)
    sock, told = checked(scripted)

    assert sock.send(b"\xc0\0") == 2
    assert sock.send(b"abcdefg") == 3
    assert told.sent == [b"\xc0\0"]
    assert sock.send(bytearray(b"defg")) == 3
    assert sock.send(b"g") == 1
    assert told.sent == [b"\xc0\0", b"abcdefg"]


@pytest.mark.parametrize("wait", [ssl.SSLWantReadError(), ssl.SSLWantWriteError()], ids=["r", "w"])
def test_waiting_passes(wait: OSError) -> None:
    """That TLS has to wait is for paho to know."""
    with pytest.raises(type(wait)):
        checked(ScriptedSocket(wait))[0].recv(1)

    with pytest.raises(type(wait)):
        checked(ScriptedSocket(takes=wait))[0].send(b"x")


def test_writing_fails() -> None:
    """A write that fails is a lost connection with its cause."""
    broken = BrokenPipeError(32, "broken")
    sock, told = checked(ScriptedSocket(takes=broken))
    with pytest.raises(ConnectionLostError) as caught:
        sock.send(b"x")

    assert caught.value.__cause__ is broken
    assert told.sent == []


def test_shape_of_a_socket() -> None:
    """Paho can do with it what it does with sockets."""
    scripted = ScriptedSocket()
    sock, _ = checked(scripted)
    sock.setblocking(False)
    number = sock.fileno()
    sock.close()

    assert number == 7
    assert scripted.closed
