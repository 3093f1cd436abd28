"""TLS of scripted servers, and a handshake in memory."""

from __future__ import annotations

import functools
import ssl

from OpenSSL import SSL, crypto
from tests.certificates import certify, root

from aiodps.pki import Credential


@functools.cache
def good_server() -> Credential:
    """Make a certificate for loopback that clients of `root` accept."""
    return certify("server", issuer=root(), names=["127.0.0.1", "localhost", "::1"])


def serving(
    credential: Credential | None = None,
    *,
    version: int | None = None,
    ciphers: bytes = b"DEFAULT:@SECLEVEL=0",
    tickets: bool = False,
) -> SSL.Context:
    """Make a server's context that shows any certificate and takes any client's, or none.

    Args:
        credential: What the server shows; None for `good_server`.
        version: The only TLS version it speaks, as `SSL.TLS1_2_VERSION`; None for 1.2 and 1.3.
        ciphers: OpenSSL's list for TLS 1.2; by default everything, however weak.
        tickets: Whether it sends session tickets, as the service does. Servers close with unread
            bytes often enough; tickets that nobody reads only add to them.
    """
    shown = credential or good_server()
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
    if not tickets:
        context.set_options(SSL.OP_NO_TICKET)

    return context


def demanding(*, version: int | None = None) -> SSL.Context:
    """Make a server's context that takes client certificates of `root` only, and none other.

    Under TLS 1.3 the client hears of the refusal when it first reads.
    """
    context = serving(version=version)
    store = context.get_cert_store()
    assert store is not None

    store.add_cert(crypto.X509.from_cryptography(root().certificate))
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda _c, _x, _e, _d, good: bool(good)
    )
    return context


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, *, host: str) -> list[bytes]:
    """Do a TLS handshake in memory; return the chain that the server saw, in DER.

    Raises:
        ssl.SSLError: If either side does not accept the other.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=host)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    # TLS 1.3 takes three flights; each side is also given a turn to read the other's alert.
    for side in (client_side, server_side) * 4:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue

    chain = server_side._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # public in 3.13
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain if one]
