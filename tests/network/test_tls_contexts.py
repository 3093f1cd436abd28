"""Each device shows its own certificate, or none, whoever was there before."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from tests import certificates as certs
from tests.certificates import root
from tests.scripted.server import HOST, ScriptedServer, says_and_hangs_up
from tests.scripted.tls import serving
from tests.transports.hosts import DPS, hosts

from aiodps.attestation.base import ClientCertificate, KeyType, NoCertificate, OwnContext
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError, ServerIdentityError, TlsProtocolError
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.network.tls_contexts import TlsContextCache, fresh_context
from aiodps.network.trust import Trust
from aiodps.pki import Credential

__all__ = ["hosts"]


@dataclass(frozen=True)
class Device:
    """A device, and what the server should see of it."""

    name: str
    attestation: X509 | None
    der: bytes | None


MAKERS = [
    ("ec", certs.certify),
    ("rsa", certs.good_rsa),
    ("p384", certs.good_p384),
    ("ed25519", certs.good_ed25519),
    ("ed448", certs.good_ed448),
]


def device(name: str, credential: Credential) -> Device:
    """Make a device from a credential."""
    attestation = X509.from_bytes(
        certificate=credential.chain_pem, private_key=credential.private_key_pem
    )
    return Device(name, attestation, credential.certificate.public_bytes(Encoding.DER))


@cache
def fleet() -> tuple[Device, ...]:
    """Make devices of all kinds, no two of a kind next to each other."""
    return tuple(
        one
        for number in range(4)
        for kind, make in MAKERS
        for one in (
            device(f"{kind}-{number}", make(f"{kind}-{number}")),
            Device(f"none-{kind}-{number}", None, None),
        )
    )


async def introduce(devices: Iterable[Device], peers: Iterable[ScriptedServer]) -> None:
    """Let each device dial each peer, all at once, and say its name."""

    async def one(who: Device, peer: ScriptedServer) -> None:
        identity = who.attestation.tls_identity() if who.attestation else NoCertificate()
        connection = await dial(peer.target(identity=identity).at_port(peer.port))
        await connection.send(who.name.encode())
        connection.close()

    async with anyio.create_task_group() as tasks:
        for who in devices:
            for peer in peers:
                tasks.start_soon(one, who, peer)


def check(peer: ScriptedServer, devices: Iterable[Device], *, times: int) -> None:
    """Check that the peer saw each device with its own certificate, and each so many times."""
    expected = {who.name: who.der for who in devices}
    seen = [
        (bytes(line.received).decode(), line.certificate and line.certificate.public_bytes(DER))
        for line in peer.lines
    ]
    assert sorted(name for name, _ in seen) == sorted(list(expected) * times)
    assert all(der == expected[name] for name, der in seen)


DER = Encoding.DER


@pytest.mark.anyio
@pytest.mark.sockets
async def test_all_kinds_from_one_event_loop() -> None:
    """EC, RSA, Ed25519, Ed448 and no certificate, TLS 1.2 and 1.3, all at once."""
    with (
        ScriptedServer(tls=serving(version=SSL.TLS1_2_VERSION)) as older,
        ScriptedServer(tls=serving(version=SSL.TLS1_3_VERSION)) as newer,
    ):
        await introduce(fleet(), [older, newer])

    check(older, fleet(), times=1)
    check(newer, fleet(), times=1)


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
async def test_a_key_is_held_while_it_may_be_asked_for(version: int) -> None:
    """After the handshake only in TLS 1.2; the connection is none the worse for it."""
    with ScriptedServer(says_and_hangs_up(b"there"), tls=serving(version=version)) as peer:
        connection = await dial(peer.target(identity=ec()).at_port(peer.port))
        trusted = connection.socket.context.get_ca_certs()
        await connection.send(b"hello")
        answer = await connection.receive()
        connection.close()

    assert answer == b"there"
    assert peer.lines[0].certificate is not None
    assert bool(trusted) is (version == SSL.TLS1_2_VERSION)


@pytest.mark.sockets
def test_all_kinds_from_two_threads(anyio_backend: str) -> None:
    """Two event loops use the same contexts, and do not get into each other's way."""
    peers = [
        ScriptedServer(tls=serving(version=version)) for version in (None, SSL.TLS1_2_VERSION)
    ]
    failures: list[BaseException] = []

    def run(devices: tuple[Device, ...]) -> None:
        try:
            anyio.run(introduce, devices, peers, backend=anyio_backend)
        except BaseException as exc:  # noqa: BLE001 (told below)
            failures.append(exc)

    with peers[0], peers[1]:
        threads = [
            threading.Thread(target=run, args=(devices,)) for devices in (fleet(), fleet()[::-1])
        ]
        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join()

    assert not failures
    for peer in peers:
        check(peer, fleet(), times=2)


def wrapped(
    contexts: TlsContextCache, identity: ClientCertificate | NoCertificate | OwnContext
) -> None:
    """Wrap one end of a socket pair, and close both."""
    ours, theirs = socket.socketpair()
    try:
        contexts.wrap(
            ours,
            identity=identity,
            trust=Trust.of(root().certificate_pem),
            server_hostname=HOST,
        ).close()
    finally:
        ours.close()
        theirs.close()


def ec() -> ClientCertificate:
    """Make an EC identity."""
    first = fleet()[0].attestation
    assert first is not None

    identity = first.tls_identity()
    assert isinstance(identity, ClientCertificate)

    return identity


def test_a_load_that_fails_half_way_costs_the_context() -> None:
    """What it left behind is never shown by the next device."""
    contexts, loaded = TlsContextCache(), list[ssl.SSLContext]()

    def load(context: ssl.SSLContext) -> None:
        loaded.append(context)
        if len(loaded) == 2:
            raise RuntimeError("half way")

        ec().load(context)

    identity = ClientCertificate(KeyType.EC, load)
    wrapped(contexts, identity)
    with pytest.raises(RuntimeError):
        wrapped(contexts, identity)

    wrapped(contexts, identity)
    assert loaded[0] is loaded[1]
    assert loaded[2] is not loaded[1]


def test_nothing_is_shared_across_key_types_and_trusts() -> None:
    """One context for each combination; the same again for the same combination."""
    contexts, seen = TlsContextCache(), list[int]()
    kept: list[ssl.SSLContext] = []

    def load(context: ssl.SSLContext) -> None:
        kept.append(context)
        seen.append(id(context))

    for _ in range(2):
        for trust in (root().certificate_pem, certs.other_root().certificate_pem):
            for kind in KeyType:
                ours, theirs = socket.socketpair()
                contexts.wrap(
                    ours,
                    identity=ClientCertificate(kind, load),
                    trust=Trust.of(trust),
                    server_hostname=HOST,
                ).close()
                theirs.close()

    assert len(set(seen)) == 2 * len(KeyType)
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


@pytest.mark.slow
def test_contexts_are_not_kept_without_end() -> None:
    """A caller with a trust per device does not fill the memory."""
    contexts = TlsContextCache()
    for number in range(300):
        ours, theirs = socket.socketpair()
        contexts.wrap(
            ours,
            identity=NoCertificate(),
            trust=Trust(str(number), Trust.of(root().certificate_pem).authorities),
            server_hostname=HOST,
        ).close()
        theirs.close()

    assert len(contexts._contexts) == 256


def test_a_callers_context_is_left_as_it_is() -> None:
    """Nothing is loaded into it: the very object makes the connection."""

    class Untouchable(ssl.SSLContext):
        def load_cert_chain(self, *_: object, **__: object) -> None:
            raise AssertionError

        load_verify_locations = set_alpn_protocols = set_ciphers = load_cert_chain

    context = Untouchable(ssl.PROTOCOL_TLS_CLIENT)

    wrapped(TlsContextCache(), OwnContext(context))


@pytest.mark.parametrize("mode", [ssl.CERT_NONE, ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
def test_a_callers_context_that_does_not_verify_is_refused(mode: ssl.VerifyMode) -> None:
    """Also when it was made lax after the attestation had looked at it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = mode
    with pytest.raises(ConfigurationError) as caught:
        wrapped(TlsContextCache(), OwnContext(context))

    assert caught.value.setting == "attestation"


def lax_context() -> ssl.SSLContext:
    """Make a context that verifies, and allows suites that need no certificate, or hide nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root().certificate_pem.decode())
    context.set_ciphers("ALL:eNULL:aNULL:@SECLEVEL=0")
    return context


class ChangedLater(ssl.SSLContext):
    """A context that allows TLS 1.0 after it was checked."""

    def wrap_socket(self, *args: object, **options: object) -> ssl.SSLSocket:
        """Change the context just before it is used."""
        with warnings.catch_warnings(action="ignore"):
            self.minimum_version = ssl.TLSVersion.TLSv1

        return super().wrap_socket(*args, **options)  # type: ignore[arg-type]  # the same ones


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.parametrize(
    ("ciphers", "kind", "reason"),
    [
        (b"aNULL:@SECLEVEL=0", ServerIdentityError, "no_certificate"),
        (b"ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", TlsProtocolError, "no_encryption"),
    ],
    ids=["anonymous", "in-clear"],
)
async def test_a_callers_lax_cipher_suites_are_refused(
    ciphers: bytes, kind: type[ServerIdentityError | TlsProtocolError], reason: str
) -> None:
    """OpenSSL verifies nothing with them; nothing of the application is sent."""
    identity = OwnContext(lax_context())
    server = serving(version=SSL.TLS1_2_VERSION, ciphers=ciphers)
    with ScriptedServer(tls=server) as peer, pytest.raises(kind) as caught:
        await dial(peer.target(identity=identity).at_port(peer.port))

    assert caught.value.reason == reason
    assert caught.value.phase is Phase.TLS
    assert peer.lines[0].received == b""


@pytest.mark.anyio
@pytest.mark.sockets
async def test_tls_1_0_is_refused_however_late_it_was_allowed() -> None:
    """The version that was agreed on counts, and not what the context said before."""
    context = ChangedLater(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root().certificate_pem.decode())
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = serving(version=SSL.TLS1_VERSION, ciphers=b"ALL:@SECLEVEL=0")
    with ScriptedServer(tls=server) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target(identity=OwnContext(context)).at_port(peer.port))

    assert caught.value.reason == "version"
    assert peer.lines[0].received == b""


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.usefixtures("hosts")
async def test_a_name_in_the_cn_does_not_count_in_a_callers_context_either() -> None:
    """Python's default is to look there."""
    context = ssl.create_default_context(cadata=root().certificate_pem.decode())
    shown = certs.certify(DPS, usages=certs.SERVER)
    with ScriptedServer(tls=serving(shown)) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(endpoint=DPS, identity=OwnContext(context)).at_port(peer.port))

    assert caught.value.reason == "wrong_host"


def test_our_contexts_are_strict() -> None:
    """TLS 1.2 or newer, peer and host name checked, strict X.509, no CN, no key log."""
    context = fresh_context(Trust.of(None))

    assert context.protocol is ssl.PROTOCOL_TLS_CLIENT
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT
    assert context.security_level == 2
    assert not context.keylog_filename
    assert all(
        cipher["aead"] and cipher["kea"] in {"kx-ecdhe", "kx-any"}
        for cipher in context.get_ciphers()
    )


@pytest.mark.sockets
def test_a_connection_that_is_reset_before_its_handshake() -> None:
    """It can be wrapped, so that somebody closes it; Python alone would leave it open."""
    with socket.create_server((HOST, 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()

    wrapped = TlsContextCache().wrap(
        client,
        identity=NoCertificate(),
        trust=Trust.of(root().certificate_pem),
        server_hostname=DPS,
    )
    with wrapped, pytest.raises(OSError, match=r"reset|Broken pipe"):
        wrapped.do_handshake()
