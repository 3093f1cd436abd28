"""TLS contexts: trust is built once, the device's identity is loaded at the moment of wrapping.

OpenSSL copies certificate and key out of the context when a connection is made from it. So one
context can serve any number of devices, each loaded just before its own connection is made, and a
device costs no context of its own. The rules that make this safe:

- One context for each combination of trust, transport and *key type*, and one more without any
  identity. A context has a slot for each key type: an EC certificate loaded before would still be
  there after an RSA one is loaded, and could be shown instead of it.
- Nothing is ever loaded into the context without identity.
- Loading and wrapping are one synchronous step under a lock. Event loops in other threads use the
  same contexts.
- A context into which loading failed is thrown away: it may hold half of an identity.
- Transports never share a context: what one asks of TLS (ALPN) must not reach another.
- A caller's own context is used as it is and never loaded into, and it is not used at all if it
  does not verify the server.
"""

from __future__ import annotations

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
from aiodps.errors import ConfigurationError
from aiodps.network.trust import Trust

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""TLS 1.2 suites: ephemeral keys and authenticated encryption only. The service offers these
first; older ones it only tolerates (Microsoft Learn, "TLS support in DPS"). Security level 2 keeps
RSA keys under 2048 bits and SHA-1 out of certificates, also under TLS 1.3."""

_MOST_CONTEXTS = 256
"""Contexts kept; the one not used for longest goes first. One costs about 20 KiB."""

_Key = tuple[Trust, str, KeyType | None]


class TlsContextCache:
    """Keeps contexts and wraps sockets with them; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: OrderedDict[_Key, ssl.SSLContext] = OrderedDict()

    def wrap(
        self,
        sock: socket.socket,
        *,
        identity: TlsIdentity,
        trust: Trust,
        transport: str,
        server_hostname: str,
    ) -> ssl.SSLSocket:
        """Make a TLS socket that shows a device's identity; the handshake is still to be done.

        Args:
            sock: A connected socket; the TLS socket takes it over.
            identity: What the device shows.
            trust: Whom it believes; not used with `OwnContext`.
            transport: Name of the transport: transports share no context.
            server_hostname: The name that the server's certificate has to be for.

        Raises:
            CredentialError: If certificate or key cannot be loaded.
            ConfigurationError: If a context of the caller's does not verify the server.
        """
        match identity:
            case OwnContext(context):
                _check_verifies(context)
                return _wrap(context, sock, server_hostname)
            case NoCertificate():
                with self._lock:
                    context = self._context((trust, transport, None))
                    return _wrap(context, sock, server_hostname)
            case ClientCertificate():
                with self._lock:
                    context = self._loaded((trust, transport, identity.key_type), identity)
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
        if len(self._contexts) > _MOST_CONTEXTS:
            self._contexts.popitem(last=False)

        return context


def fresh_context(trust: Trust) -> ssl.SSLContext:
    """Make a context as strict as the service allows: there is no way to make a laxer one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    trust.load_into(context)
    return context


def _check_verifies(context: ssl.SSLContext) -> None:
    """Refuse a context that was made lax, or became so after it had been checked."""
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigurationError(
            "the SSLContext does not verify the server's certificate and host name",
            setting="attestation",
            hint="begin with ssl.create_default_context() and leave its checks on",
        )


def _wrap(context: ssl.SSLContext, sock: socket.socket, name: str) -> ssl.SSLSocket:
    return context.wrap_socket(
        sock,
        server_hostname=name,
        do_handshake_on_connect=False,
        # Or a reset connection would read like one that was closed in order.
        suppress_ragged_eofs=False,
    )


TLS_CONTEXTS = TlsContextCache()
"""The contexts of this process."""
