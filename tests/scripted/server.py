"""Servers on loopback that do what a script says, byte by byte, with TLS or without.

    with ScriptedServer(alerts(42)) as peer:
        await dial(peer.target(), port=peer.port)

A script is a function of the connection; `steps` makes one out of data. Each connection is served
in a thread of its own, so that one server serves asyncio and trio alike and cannot hold up the
event loop under test. The end of the block waits for all of these threads, and fails if a script
has failed or the client has left a connection open. What each connection saw is in `peer.lines`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Self, TypeAlias

from cryptography import x509
from OpenSSL import SSL
from tests.certificates import root
from tests.scripted.attested import Attested

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.observe import Observer, Reporter
from aiodps.transports.base import Target

LIMIT = 60
"""Seconds after which whoever waits in vain gives up: the test has failed then."""
HOST = "127.0.0.1"
THREADS = "scripted server"
"""What the names of the servers' threads begin with."""
CLOSED = (SSL.Error, OSError)
"""What ends a script whose client has gone."""

Script: TypeAlias = Callable[[Any], object]


class Line:
    """One connection, as a script sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        """The TCP socket; it blocks, though not for ever."""
        self.tls: SSL.Connection | None = None
        """TLS over it, once it has begun."""
        self.secured = False
        """Whether the TLS handshake was done."""
        self.received = bytearray()
        """What the client has sent: decrypted, if there is TLS."""
        self.certificate: x509.Certificate | None = None
        """The client's certificate; None if it showed none."""
        self.error: Exception | None = None
        """What ended the script, if something did."""
        self.ended = threading.Event()
        """Set when the script has ended and the connection is closed."""
        # The kernel's limit and not Python's, for which pyOpenSSL does not wait.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", LIMIT, 0))

        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def secure(self, context: SSL.Context) -> None:
        """Do the TLS handshake."""
        self.tls = SSL.Connection(context, self.sock)
        self.tls.set_accept_state()
        self.tls.do_handshake()
        self.certificate = self.tls.get_peer_certificate(as_cryptography=True)
        self.secured = True

    def read(self, size: int = 65536) -> bytes:
        """Read what comes next; b"" if the client has closed the connection."""
        try:
            data = (self.tls or self.sock).recv(size)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            data = b""

        self.received += data
        return data

    def read_some(self, size: int = 65536) -> bytes:
        """Read what comes next, which has to be something."""
        data = self.read(size)
        if not data:
            raise ConnectionError("the client has closed the connection")

        return data

    def send(self, *parts: bytes) -> None:
        """Send bytes, in one piece."""
        (self.tls or self.sock).sendall(b"".join(parts))

    def drain(self) -> None:
        """Read until the client closes the connection."""
        while self.read():
            pass

    def end(self) -> None:
        """Close in order: what was sent arrives, then the end."""
        with contextlib.suppress(*CLOSED):
            if self.tls is not None:
                self.tls.shutdown()

            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class ScriptedServer:
    """A port on loopback that runs a script for each connection."""

    line: ClassVar[type[Line]] = Line
    transport: ClassVar[str] = "rest"

    def __init__(self, *scripts: Script, tls: SSL.Context | None = None, host: str = HOST) -> None:
        """Listen on a free port; nothing is accepted before the block begins.

        Args:
            scripts: One for each connection in the order of arrival, the last one for all the
                rest; none to take everything and say nothing.
            tls: How to do the handshake before the script begins; None to leave it to the script.
            host: Address to listen on.
        """
        self.lines: list[Line] = []
        """Each connection so far, in order of arrival."""
        self.host = host
        self._scripts = scripts or (silent,)
        self._tls = tls
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
        held = [line for line in self.lines if not line.ended.wait(0 if exc else LIMIT / 2)]
        for line in held:
            with contextlib.suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)

        for thread in self._threads:
            thread.join()

        if exc is None:
            for error in self._failures():
                raise error

            assert not held, "the client has left a connection open"

    def _failures(self) -> Iterator[Exception]:
        for line in self.lines:
            if line.error is not None and not isinstance(line.error, CLOSED):
                yield line.error

    def _stop_accepting(self) -> None:
        """Connect once more: whoever came before is accepted before, and none is forgotten."""
        with self._listener, socket.socket(self._listener.family) as last:
            last.bind((self.host, 0))
            self._last = last.getsockname()
            last.connect((self.host, self.port))
            self._threads[0].join()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        name = f"{THREADS} on port {self.port}"
        self._threads.append(threading.Thread(target=work, args=args, name=name, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            sock, address = self._listener.accept()
            if address == self._last:
                sock.close()
                return

            script = self._scripts[min(len(self.lines), len(self._scripts) - 1)]
            self.lines.append(self.line(sock))
            self._start(self._run, self.lines[-1], script)

    def _run(self, line: Line, script: Script) -> None:
        try:
            if self._tls is not None:
                line.secure(self._tls)

            script(line)
        except Exception as exc:  # noqa: BLE001 (told when the block ends)
            line.error = exc
        finally:
            with contextlib.suppress(OSError):
                line.sock.close()

            line.ended.set()

    def target(self, observer: Observer | None = None, **settings: Any) -> Target:
        """Return what a transport needs to reach this server: `target` with its address."""
        base = {"endpoint": self.host, "transport": self.transport, "observer": observer}
        return target(**{**base, **settings})


def target(
    *,
    endpoint: str = HOST,
    identity: TlsIdentity | None = None,
    trust: Trust | None = None,
    transport: str = "rest",
    observer: Observer | None = None,
    registration_id: str = "dev1",
    sas: str | None = None,
    address: str | None = None,
    proxy: Proxy | None = None,
) -> Target:
    """Return a target; by default it trusts `root`, and the device shows no certificate."""
    return Target(
        endpoint=endpoint,
        address=address,
        proxy=proxy,
        id_scope="0ne00000000",
        registration_id=registration_id,
        attestation=Attested(identity or NoCertificate(), sas),
        trust=trust or Trust.of(root().certificate_pem),
        report=Reporter(registration_id, transport, observer),
        timeout=90.0,
    )


def steps(*steps: bytes | Script) -> Script:
    """Make a script of what is to be done one after the other; bytes are sent.

    `steps(Line.read, b"no", Line.end, Line.drain)` waits for the client's first bytes, answers
    them, closes in order, and waits until the client has closed as well.
    """

    def script(line: Line) -> None:
        for step in steps:
            if isinstance(step, bytes):
                line.send(step)
            else:
                step(line)

    return script


def repeat(*again: bytes | Script) -> Script:
    """Do the same again and again, until the client closes the connection."""
    script = steps(*again)

    def repeated(line: Line) -> None:
        while True:
            script(line)

    return repeated


silent: Script = Line.drain
"""Take everything and say nothing."""
hangs_up = steps(Line.read, Line.end, Line.drain)
"""Close in order after the client's first bytes, as a server that does not like them."""
resets = steps(Line.read, Line.reset)
"""Close with RST after the client's first bytes."""


def says(data: bytes) -> Script:
    """Answer the client's first bytes with these, whatever they are, then listen on."""
    return steps(Line.read, data, Line.drain)


def says_and_hangs_up(data: bytes) -> Script:
    """Answer the client's first bytes with these, then close in order."""
    return steps(Line.read, data, Line.end, Line.drain)


def drips(data: bytes, *, gap: float, after: bytes = b"") -> Script:
    """Send these bytes one by one, `gap` seconds apart, and the first again after the last.

    Only a peer drips in real time; nothing waits for it, and the test ends the connection.
    """

    def pause(line: Line) -> None:
        line.ended.wait(gap)

    each = [step for number in data for step in (bytes([number]), pause)]
    return steps(Line.read, after, repeat(*each))


def alert(number: int, *, fatal: bool = True) -> bytes:
    """A TLS alert as it goes over the wire before anything is encrypted."""
    return b"\x15\x03\x03\x00\x02" + bytes([2 if fatal else 1, number])


def alerts(number: int) -> Script:
    """Answer the client's hello with a fatal alert, then close."""
    return says_and_hangs_up(alert(number))
