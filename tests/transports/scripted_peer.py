"""Scripted peers on loopback: TCP and TLS servers that do what a test tells them, byte by byte.

A `Peer` listens on a free port and runs its script for each connection, in a thread of its own:
so peers serve asyncio and trio alike, and cannot hold up the event loop under test.

    with Peer(alerts(42)) as peer:
        await dial(peer.target().at_port(peer.port))

What each connection saw is in `peer.lines`: bytes, client certificates, how it ended.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias

from cryptography import x509
from OpenSSL import SSL, crypto
from tests.certificates import certify, root
from tests.transports.attested import Attested

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.network.trust import Trust
from aiodps.observe import Observer, Reporter
from aiodps.pki import Credential
from aiodps.transports.base import Target

PATIENCE = 15.0
"""Seconds after which a script that waits in vain gives up: the test has failed then."""
HOST = "127.0.0.1"


class Line:
    """One connection, as a script sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        """The TCP socket, blocking."""
        self.tls: SSL.Connection | None = None
        """TLS over it, once a script has begun it."""
        self.secured = False
        """Whether the handshake was done."""
        self.received = bytearray()
        """What the client has sent: decrypted, if there is TLS."""
        self.certificate: x509.Certificate | None = None
        """The client's certificate; None if it showed none."""
        self.error: BaseException | None = None
        """What ended the script, if something did."""
        self.ended = threading.Event()
        """Set when the script has ended and the connection is closed."""

    def secure(self, context: SSL.Context) -> None:
        """Shake hands."""
        # pyOpenSSL does not wait for sockets that have a time limit.
        self.sock.settimeout(None)
        self.tls = SSL.Connection(context, self.sock)
        self.tls.set_accept_state()
        self.tls.do_handshake()
        self.certificate = self.tls.get_peer_certificate(as_cryptography=True)
        self.secured = True

    def read(self, size: int = 65536) -> bytes:
        """Read what comes next; b"" if the client has closed the connection."""
        try:
            data = self.sock.recv(size) if self.tls is None else self.tls.recv(size)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            data = b""

        self.received += data
        return data

    def send(self, data: bytes) -> None:
        """Send everything."""
        (self.sock if self.tls is None else self.tls).sendall(data)

    def drain(self) -> None:
        """Read until the client closes the connection."""
        while self.read():
            pass

    def end(self) -> None:
        """Close in order: what was sent arrives, then the end."""
        with contextlib.suppress(OSError, SSL.Error):
            if self.tls is not None:
                self.tls.shutdown()

            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


Script: TypeAlias = Callable[[Line], None]


class Peer:
    """A port on loopback that runs a script for each connection."""

    def __init__(self, script: Script, *, host: str = HOST) -> None:
        self.lines: list[Line] = []
        """Each connection so far, in order of arrival."""
        self.host = host
        self._script = script
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=4096)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._last: object = None

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stop_accepting()
        held = [line for line in self.lines if not line.ended.wait(0 if exc else PATIENCE / 3)]
        for line in held:
            with contextlib.suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)

        for thread in self._threads:
            thread.join(PATIENCE)

        assert exc is not None or not held, "the client has left a connection open"

    def _stop_accepting(self) -> None:
        """Connect once more: whoever came before is accepted before, and none is forgotten."""
        with self._listener, socket.socket(self._listener.family) as last:
            last.bind((self.host, 0))
            self._last = last.getsockname()
            last.connect((self.host, self.port))
            self._threads[0].join(PATIENCE)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, address = self._listener.accept()
            if address == self._last:
                sock.close()
                return

            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(sock)
            self.lines.append(line)
            self._start(self._run, line)

    def _run(self, line: Line) -> None:
        try:
            self._script(line)
        except (OSError, SSL.Error) as exc:
            line.error = exc
        finally:
            with contextlib.suppress(OSError):
                line.sock.close()

            line.ended.set()

    def target(self, **what: Any) -> Target:
        """Return what a transport needs to reach this peer: `target` with its address."""
        return target(**{"endpoint": self.host} | what)


def target(
    *,
    endpoint: str = HOST,
    identity: TlsIdentity | None = None,
    trust: Trust | None = None,
    transport: str = "rest",
    observer: Observer | None = None,
    registration_id: str = "device-1",
) -> Target:
    """Return a target; by default it trusts `root`, and the device shows no certificate."""
    return Target(
        endpoint=endpoint,
        id_scope="0ne00000000",
        registration_id=registration_id,
        attestation=Attested(identity or NoCertificate()),
        trust=trust or Trust.of(root().certificate_pem),
        report=Reporter(registration_id, transport, observer),
        timeout=90.0,
    )


# Scripts


def silent(line: Line) -> None:
    """Take everything and say nothing."""
    line.drain()


def hangs_up(line: Line) -> None:
    """Close in order after the client's first bytes, as a server that does not like them."""
    line.read()
    line.end()
    line.drain()


def resets(line: Line) -> None:
    """Close with RST after the client's first bytes."""
    line.read()
    line.reset()


def says(data: bytes) -> Script:
    """Answer the client's first bytes with these, whatever they are, then listen on."""

    def script(line: Line) -> None:
        line.read()
        line.send(data)
        line.drain()

    return script


def says_and_hangs_up(data: bytes) -> Script:
    """Answer the client's first bytes with these, then close in order."""

    def script(line: Line) -> None:
        line.read()
        line.send(data)
        line.end()
        line.drain()

    return script


def drips(data: bytes, *, gap: float) -> Script:
    """Send these bytes one by one, `gap` seconds apart, and the first again after the last."""

    def script(line: Line) -> None:
        line.read()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for number in data:
                line.send(bytes([number]))
                time.sleep(gap)

    return script


def alert(number: int, *, fatal: bool = True) -> bytes:
    """A TLS alert as it goes over the wire before anything is encrypted."""
    return b"\x15\x03\x03\x00\x02" + bytes([2 if fatal else 1, number])


def alerts(number: int) -> Script:
    """Answer the client's hello with a fatal alert, then close."""
    return says_and_hangs_up(alert(number))


def secures(context: SSL.Context, then: Script = silent) -> Script:
    """Shake hands, then go on with another script."""

    def script(line: Line) -> None:
        line.secure(context)
        then(line)

    return script


def answers(data: bytes, *, times: int = 1) -> Script:
    """Answer each of the client's messages with these bytes, then close in order."""

    def script(line: Line) -> None:
        for _ in range(times):
            if not line.read():
                return

            line.send(data)

        line.end()
        line.drain()

    return script


# TLS contexts


def serving(
    credential: Credential | None = None,
    *,
    version: int | None = None,
    ciphers: bytes = b"DEFAULT:@SECLEVEL=0",
) -> SSL.Context:
    """Make a server's context that shows any certificate and takes any client's, or none.

    Args:
        credential: What the server shows; None for a good certificate for `HOST`.
        version: The only TLS version it speaks, as `SSL.TLS1_2_VERSION`; None for 1.2 and 1.3.
        ciphers: OpenSSL's list for TLS 1.2; by default everything, however weak.
    """
    shown = credential or certify("server", issuer=root(), names=[HOST, "localhost", "::1"])
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(version or SSL.TLS1_2_VERSION)
    if version is not None:
        context.set_max_proto_version(version)

    context.set_cipher_list(ciphers)
    context.use_certificate(shown.certificate)
    for above in shown.intermediates:
        context.add_extra_chain_cert(above)

    context.use_privatekey(shown.private_key)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Peers close with unread bytes often enough; tickets nobody reads only add to them.
    context.set_options(SSL.OP_NO_TICKET)
    return context


def demanding(credential: Credential | None = None, *, version: int | None = None) -> SSL.Context:
    """Make a server's context that takes client certificates of `root` only, and none other.

    Under TLS 1.3 the client hears of the refusal when it first reads.
    """
    context = serving(credential, version=version)
    store = context.get_cert_store()
    assert store is not None

    store.add_cert(crypto.X509.from_cryptography(root().certificate))
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda _c, _x, _e, _d, good: bool(good)
    )
    return context
