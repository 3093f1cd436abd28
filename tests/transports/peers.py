"""Peers on loopback with real TLS that do what a script says, byte by byte."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import ipaddress
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.transports.attested import Attested

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.network.trust import Trust
from aiodps.observe import Observer, Reporter
from aiodps.transports.base import Target

PATIENCE = 20.0
"""Seconds after which a script that waits in vain gives up: the test has failed then."""

Script: TypeAlias = Callable[..., None]


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@dataclass
class Peer:
    """A listener; the next script serves each connection, the last one all the rest.

    A script ends when the client closes its connection; one that does not fails the test.
    """

    scripts: list[Script]
    context: ssl.SSLContext | None = None
    connections: int = 0
    secure: bool = True
    """Whether to shake hands before the script gets the connection."""

    transport: ClassVar[str] = "rest"

    def line(self, sock: socket.socket) -> object:
        """Return what a script gets to speak over."""
        return sock

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
            with sock:
                if not self.secure:
                    script(sock)
                    return

                with self._context.wrap_socket(sock, server_side=True) as secured:
                    self._open.append(secured)
                    script(self.line(secured))
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
            attestation=Attested(identity or NoCertificate()),
            trust=Trust.of(certificate()[0]),
            report=Reporter(registration_id, self.transport, observer),
            timeout=90.0,
        )


def server_context(*, client_certificate: bool = False) -> ssl.SSLContext:
    """Make a context for the peer; it may insist on a client certificate, which nobody has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(b"".join(certificate()))
        context.load_cert_chain(file.name)

    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    return context


@functools.cache
def certificate() -> tuple[bytes, bytes]:
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
