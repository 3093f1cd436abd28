"""TLS contexts: the CAs are loaded once, the device's certificate just before each connection.

OpenSSL copies certificate and key from the context when a connection is created. So one context
can serve any number of devices, if each certificate is loaded just before its own connection is
created. The rules that make this safe:

- One context for each trust and *key type*, and one per trust for devices without a certificate.
  A context has one slot per key type: an EC certificate would still be in it after an RSA one is
  loaded, and could be presented instead.
- Nothing is ever loaded into the context for devices without a certificate.
- Loading and wrapping are one synchronous step under a lock, because event loops in other threads
  use the same contexts.
- If loading fails, the context is discarded: it may contain half an identity.
- Nothing is loaded into the caller's own context, and it is rejected if it does not verify the
  server. One thing is changed in it: a name in the CN of the server's certificate does not count.
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections import OrderedDict
from typing import assert_never

from aiodps.attestation.base import (
    ClientCertificate,
    KeyType,
    NoCertificate,
    OwnContext,
    TlsIdentity,
)
from aiodps.network.trust import Trust

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""TLS 1.2 cipher suites: ephemeral keys and authenticated encryption only. The service prefers
these and merely tolerates older ones (Microsoft Learn, "TLS support in DPS"). Security level 2
rejects certificates with RSA keys under 2048 bits or SHA-1 signatures, under TLS 1.3 as well."""

_MAX_CONTEXTS = 256
"""Contexts kept; the least recently used is dropped first. One takes about 20 KiB."""

_Key = tuple[Trust, KeyType | None]


class TlsContextCache:
    """A cache of TLS contexts that wraps sockets; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: OrderedDict[_Key, ssl.SSLContext] = OrderedDict()

    def wrap(
        self,
        sock: socket.socket,
        *,
        identity: TlsIdentity,
        trust: Trust,
        server_hostname: str,
    ) -> ssl.SSLSocket:
        """Return a TLS socket with the device's identity; the handshake is yet to be done.

        Args:
            sock: A connected socket, owned by the TLS socket afterwards.
            identity: What the device presents.
            trust: The CAs that it trusts; not used with `OwnContext`.
            server_hostname: The name that the server's certificate has to contain.

        Raises:
            CredentialError: If certificate or key cannot be loaded.
            ConfigurationError: If the caller's own context does not verify the server.
        """
        match identity:
            case OwnContext(context):
                identity.check()
                context.hostname_checks_common_name = False
                return _wrap(context, sock, server_hostname)
            case NoCertificate():
                with self._lock:
                    return _wrap(self._context((trust, None)), sock, server_hostname)
            case ClientCertificate(key_type):
                with self._lock:
                    context = self._loaded((trust, key_type), identity)
                    return _wrap(context, sock, server_hostname)
            case _:
                assert_never(identity)

    def _loaded(self, key: _Key, identity: ClientCertificate) -> ssl.SSLContext:
        context = self._context(key)
        try:
            identity.load(context)
        except BaseException:
            del self._contexts[key]
            raise

        return context

    def _context(self, key: _Key) -> ssl.SSLContext:
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = fresh_context(key[0])

        self._contexts.move_to_end(key)
        if len(self._contexts) > _MAX_CONTEXTS:
            self._contexts.popitem(last=False)

        return context


class ConnectedSocket(ssl.SSLSocket):
    """A TLS socket on a connected socket, even if the peer has reset it meanwhile.

    Python asks for the peer's name when it wraps a socket. Without one it looks for data, and if
    that fails it raises and leaves the new socket open. Here the handshake fails instead.
    """

    def getpeername(self) -> object:
        """Return the peer's address; None if it is gone."""
        try:
            return super().getpeername()
        except OSError:
            return None


def fresh_context(trust: Trust) -> ssl.SSLContext:
    """Return a new context, as strict as the service allows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = ConnectedSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    trust.load_into(context)
    return context


def _wrap(context: ssl.SSLContext, sock: socket.socket, name: str) -> ssl.SSLSocket:
    return context.wrap_socket(
        sock,
        server_hostname=name.encode(),  # Python would look for IDNA in a string
        do_handshake_on_connect=False,
        # Otherwise a reset connection would look like one that was closed properly.
        suppress_ragged_eofs=False,
    )


def drop_identity(sock: ssl.SSLSocket) -> None:
    """Have OpenSSL free the certificate and key of a connection whose handshake is complete.

    They take 7 kB or more of each. TLS 1.3 needs them in the handshake only, because nobody here
    agrees to authenticate after it; in TLS 1.2 the server may ask for another handshake.
    """
    if sock.version() == "TLSv1.3":
        sock.context = _no_identity()


@functools.cache
def _no_identity() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


TLS_CONTEXTS = TlsContextCache()
"""The TLS contexts of this process."""
