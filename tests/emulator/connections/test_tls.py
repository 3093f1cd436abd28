"""TLS of the emulator: any certificate or none, the whole chain, true alerts, bounded time."""

from __future__ import annotations

import dataclasses
import logging
import socket
import ssl
from collections.abc import Callable

import anyio
import pytest
from anyio import to_thread
from cryptography import x509
from OpenSSL import SSL
from tests import certificates
from tests.emulated import PATIENCE, device
from tests.emulator.tls_server import serving

from aiodps.emulator.connections import tls
from aiodps.emulator.connections.stream import Stream
from aiodps.pki import Credential

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(device, id="with its intermediate"),
        pytest.param(certificates.missing_intermediate, id="leaf only"),
        pytest.param(certificates.self_signed, id="self-signed"),
        pytest.param(certificates.expired, id="expired"),
        pytest.param(certificates.unknown_root, id="unknown root"),
        pytest.param(certificates.chain_too_long, id="chain too long"),
    ],
)
async def test_any_certificate_is_taken_and_shown_as_sent(
    make: Callable[[], Credential], version: ssl.TLSVersion
) -> None:
    """Leaf first, then what the client sent: it is the service that judges."""
    credential = make()
    async with serving() as server:
        context = server.context(credential)
        context.maximum_version = context.minimum_version = version
        await server.ask(context)

        assert server.seen == [(credential.certificate, *credential.intermediates)]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
async def test_no_certificate_is_taken_too(version: ssl.TLSVersion) -> None:
    """Devices with symmetric keys have none."""
    async with serving() as server:
        context = server.context()
        context.maximum_version = context.minimum_version = version
        await server.ask(context)

        assert server.seen == [()]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
async def test_no_session_is_resumed(version: ssl.TLSVersion) -> None:
    """A resumed session would show the leaf only."""
    async with serving() as server:
        context = server.context(device())
        context.maximum_version = context.minimum_version = version
        first = await server.ask(context)
        await server.ask(context, session=first.session)

        assert [len(chain) for chain in server.seen] == [2, 2]


async def test_http_is_agreed_on_if_offered() -> None:
    """Clients that offer `h2` as well get HTTP/1.1; those that offer neither get nothing."""
    async with serving() as server:
        context = server.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        both = await server.ask(context)
        context.set_alpn_protocols(["h2"])
        other = await server.ask(context)

        assert (both.version, both.protocol) == ("TLSv1.3", "http/1.1")
        assert (other.version, other.protocol) == ("TLSv1.3", None)


async def test_more_than_a_record_goes_through() -> None:
    """Also when the peer is slow to read: what cannot be sent yet waits."""
    async with serving() as server:
        await server.ask(server.context(), data=bytes(3_000_000))


async def test_who_speaks_no_tls_we_speak_is_told_with_an_alert() -> None:
    """A real one, not just an end."""
    async with serving() as server:
        context = server.context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES256-SHA256")  # needs an RSA certificate
        with pytest.raises(ssl.SSLError, match=r"(?i)alert handshake failure"):
            await server.ask(context)


async def test_a_silent_peer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never says anything, and one that stops in the middle."""
    monkeypatch.setattr(tls, "HANDSHAKE_SILENCE", 0.05)
    async with serving() as server:
        for begun in (b"", b"\x16\x03\x01\x02\x00"):
            async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
                if begun:
                    await stream.send(begun)

                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await stream.receive()

        assert server.seen == []


async def test_a_chain_of_many_certificates_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """Reading them and trying their signatures would cost the other devices their time."""
    caplog.set_level(logging.INFO)
    async with serving() as server:
        with pytest.raises(OSError):
            await server.ask(server.context(_below(100)))

        longest = _below(tls.MAX_CHAIN - 1)
        await server.ask(server.context(longest))
        assert server.seen == [(longest.certificate, *longest.intermediates)]

    assert [record.getMessage() for record in caplog.records] == [
        "TLS handshake failed: a chain of over 16 certificates"
    ]


def _below(cas: int) -> Credential:
    """Make a device below so many CAs, all of one name, so that each might be each other's."""
    issuer: Credential = certificates.root()
    chain: list[x509.Certificate] = []
    for _ in range(cas):
        issuer = certificates.certify("ca", issuer=issuer, ca=True)
        chain.insert(0, issuer.certificate)

    device = certificates.certify("device-1", issuer=issuer)
    return dataclasses.replace(device, intermediates=tuple(chain))


async def test_renegotiation_is_refused() -> None:
    """It would let a client have us shake hands as often as it likes."""
    async with serving() as server:
        await to_thread.run_sync(_renegotiate, server.port)


def _renegotiate(port: int) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.settimeout(None)
        client = SSL.Connection(context, sock)
        client.set_connect_state()
        client.do_handshake()
        client.renegotiate()
        with pytest.raises(SSL.Error, match="no renegotiation"):
            client.do_handshake()


async def test_half_an_end_is_no_end() -> None:
    """Who has said everything may stop to send, and still gets the answer."""
    async with serving() as server:
        await to_thread.run_sync(_stop_sending, server.port, server.context())


def _stop_sending(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall(b"last words")
        socket.socket.shutdown(sock, socket.SHUT_WR)
        assert sock.recv(100) == b"last words"


async def test_a_flood_leaves_the_others_their_turn() -> None:
    """Responses that need not wait for the peer do not come in one go."""
    turns, turns_between = 0, []

    async def flood(stream: Stream) -> None:
        await stream.receive()
        before = turns
        for _ in range(1000):
            await stream.send(b"x")

        turns_between.append(turns - before)

    async def other() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with serving(frontend=flood) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await server.ask(server.context(), data=b"x" * 1000)
        tasks.cancel_scope.cancel()

    assert turns_between > [5]
