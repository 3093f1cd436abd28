"""A server's TLS in memory: a test sends its first flight, and alerts, as it likes."""

from __future__ import annotations

import contextlib
import socket

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

SECRET = "SERVER_TRAFFIC_SECRET_0"  # noqa: S105 (a name)
ALERT = 0x15


class FlightTls:
    """TLS 1.3 over a socket, with the parts of `SSL.Connection` that scripts use."""

    def __init__(self, context: SSL.Context, sock: socket.socket) -> None:
        self._tls = SSL.Connection(context)
        self._tls.set_accept_state()
        self._tls.set_app_data({})
        self._sock = sock
        self._records = 0

    @staticmethod
    def keep_secret(tls: SSL.Connection, line: bytes) -> None:
        """Keep the secrets of a connection; a context's callback."""
        label, _, secret = line.decode().split()
        tls.get_app_data()[label] = bytes.fromhex(secret)

    def hello(self) -> bytes:
        """Read the client's hello; return the flight that answers it."""
        while not (flight := self._step()):
            self._take()

        return flight

    def finish(self) -> None:
        """Complete the handshake, once the first flight is sent."""
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._take()
            else:
                break

        tickets = self._outgoing()
        self._records = records(tickets)
        self._sock.sendall(tickets)

    def recv(self, size: int) -> bytes:
        """Read what comes next."""
        while True:
            try:
                return self._tls.recv(size)
            except SSL.WantReadError:
                self._take()

    def sendall(self, data: bytes) -> None:
        """Send, in records of 16 KiB."""
        for start in range(0, len(data), 2**14):
            self._tls.send(data[start : start + 2**14])
            self._records += 1

        self._sock.sendall(self._outgoing())

    def shutdown(self) -> None:
        """Say that nothing more will come."""
        self._tls.shutdown()
        self._sock.sendall(self._outgoing())

    def alert(self, number: int) -> None:
        """Send a fatal alert (RFC 8446 5.2), which OpenSSL has no function for."""
        size = 32 if "256" in str(self._tls.get_cipher_name()) else 16
        key, nonce = self._expand("key", size), self._expand("iv", 12)
        numbered = (int.from_bytes(nonce) ^ self._records).to_bytes(12)
        head = b"\x17\x03\x03" + (3 + 16).to_bytes(2)
        inner = bytes([2, number, ALERT])
        self._sock.sendall(head + AESGCM(key).encrypt(numbered, inner, head))

    def _expand(self, label: str, size: int) -> bytes:
        name = f"tls13 {label}".encode()
        info = size.to_bytes(2) + bytes([len(name)]) + name + b"\0"
        digest = hashes.SHA384() if "384" in str(self._tls.get_cipher_name()) else hashes.SHA256()
        return HKDFExpand(digest, size, info).derive(self._tls.get_app_data()[SECRET])

    def _step(self) -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            self._tls.do_handshake()

        return self._outgoing()

    def _outgoing(self) -> bytes:
        try:
            return self._tls.bio_read(2**20)
        except SSL.WantReadError:
            return b""

    def _take(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the client has closed the connection")

        self._tls.bio_write(data)


def records(data: bytes) -> int:
    """Count the records in what goes over the wire."""
    count = 0
    while data:
        data = data[5 + int.from_bytes(data[3:5]) :]
        count += 1

    return count
