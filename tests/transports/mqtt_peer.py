"""A peer on loopback with real TLS that does what a script says, byte by byte."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import ipaddress
import socket
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.protocol.mqtt_bytes import CONNACK, puback, publish, suback

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.observe import Observer, Reporter
from aiodps.transports.base import Target
from aiodps.transports.mqtt import MQTT, MqttTransport
from aiodps.transports.trust import Trust

PATIENCE = 20.0
"""Seconds after which a script that waits in vain gives up: the test has failed then."""


@dataclass
class Line:
    """One connection, as a script sees it."""

    sock: ssl.SSLSocket
    user_name: bytes = b""

    def take(self) -> tuple[int, bytes]:
        """Read one packet: its first byte and its body."""
        first = self._read(1)[0]
        length, shift = 0, 0
        while True:
            digit = self._read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the client has closed the connection")

            data += more

        return data

    def expect(self, kind: int) -> bytes:
        """Read packets until one of this type comes (pings and PUBACK may lie between)."""
        while True:
            first, body = self.take()
            if first >> 4 == kind >> 4:
                return body

    def send(self, *packets: bytes) -> None:
        """Send bytes, in one piece."""
        self.sock.sendall(b"".join(packets))

    def accept(self) -> None:
        """Take CONNECT and SUBSCRIBE as the service does."""
        self.expect(0x10)
        self.send(CONNACK)
        self.send(suback(self.expect(0x82)[:2]))

    def request(self, *, acknowledge: bool = True) -> Asked:
        """Take a request and acknowledge it."""
        body = self.expect(0x30)
        size = int.from_bytes(body[:2], "big")
        asked = Asked(body[2 : 2 + size].decode(), body[2 + size : 4 + size], body[4 + size :])
        if acknowledge:
            self.send(puback(asked.packet_id))

        return asked

    def drain(self) -> list[int]:
        """Read until the client hangs up; return the first byte of each packet."""
        seen = []
        with contextlib.suppress(OSError):
            while True:
                seen.append(self.take()[0])

        return seen

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass
class Asked:
    """A request as it arrived."""

    topic: str
    packet_id: bytes
    body: bytes

    @property
    def rid(self) -> str:
        """The `$rid` of the request."""
        return self.topic.partition("$rid=")[2].partition("&")[0]

    def answer(self, status: object = 202, body: bytes = b"{}", *, more: str = "") -> bytes:
        """Write the answer to the request."""
        return publish(f"$dps/registrations/res/{status}/?$rid={self.rid}{more}", body)


Script: TypeAlias = Callable[[Line], None]


@dataclass
class Peer:
    """A listener; the next script serves each connection, the last one all the rest.

    A script ends when the client closes its connection; one that does not fails the test.
    """

    scripts: list[Script]
    context: ssl.SSLContext | None = None
    connections: int = 0

    def __post_init__(self) -> None:
        self._context = self.context or server_context()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[Exception] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE / 4)

        held = [thread for thread in self._threads if thread.is_alive()]
        for sock in self._open if held else ():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        if exc is not None:
            return

        if self._failures:
            raise self._failures[0]

        assert not held, "a script has not ended: the client has left a connection open"

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return

            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(sock)
            self._start(
                self._serve, sock, self.scripts[min(self.connections, len(self.scripts) - 1)]
            )
            self.connections += 1

    def _serve(self, sock: socket.socket, script: Script) -> None:
        try:
            with sock, self._context.wrap_socket(sock, server_side=True) as secured:
                self._open.append(secured)
                script(Line(secured))
        except OSError:
            return
        except Exception as exc:  # noqa: BLE001 (told when the test ends)
            self._failures.append(exc)

    def target(
        self,
        observer: Observer | None = None,
        *,
        registration_id: str = "dev1",
        identity: TlsIdentity | None = None,
    ) -> Target:
        """Return what a transport needs to reach this peer."""
        return Target(
            endpoint="127.0.0.1",
            id_scope="0ne00000000",
            registration_id=registration_id,
            identity=identity or NoCertificate(),
            trust=Trust.of(_certificate()[0]),
            report=Reporter(registration_id, "mqtt", observer),
        )


@contextlib.asynccontextmanager
async def open_to(
    peer: Peer, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[MqttTransport]:
    """Give a transport to the peer, not connected, and close it at the end."""
    transport = MQTT(port=peer.port, **settings).open(peer.target(observer))
    try:
        yield transport
    finally:
        await transport.aclose()


def assigning(line: Line) -> None:
    """Take a session, answer every request with 202."""
    line.accept()
    while True:
        line.send(line.request().answer(202, more="&retry-after=3"))


def silent(line: Line) -> None:
    """Never answer."""
    line.drain()


def reset(line: Line) -> None:
    """Close with RST after CONNECT."""
    line.expect(0x10)
    line.reset()


def server_context(*, client_certificate: bool = False) -> ssl.SSLContext:
    """Make a context for the peer; it may insist on a client certificate, which nobody has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(b"".join(_certificate()))
        context.load_cert_chain(file.name)

    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    return context


@functools.cache
def _certificate() -> tuple[bytes, bytes]:
    """Make a certificate for 127.0.0.1 that is its own authority, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
