"""Alerts, broken TLS and the operating system's errors are told as what they are, at once."""

from __future__ import annotations

import errno
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from OpenSSL import SSL
from tests import certificates as certs
from tests.certificates import certify, root, rsa_key
from tests.scripted.server import (
    HOST,
    LIMIT,
    Line,
    ScriptedServer,
    alert,
    alerts,
    hangs_up,
    resets,
    says,
    says_and_hangs_up,
    steps,
)
from tests.scripted.tls import demanding, serving

from aiodps.attestation.base import OwnContext
from aiodps.errors import (
    ClientCertificateRejectedError,
    ConnectError,
    ConnectionLostError,
    DnsError,
    ProvisioningError,
    ResourceError,
    ServerIdentityError,
    TlsProtocolError,
    TransportError,
)
from aiodps.models import Phase
from aiodps.network.dial import dial
from aiodps.network.tls_errors import translate

pytestmark = pytest.mark.sockets
ALERTS = {
    10: (TlsProtocolError, "unexpected_message"),
    20: (TlsProtocolError, "bad_record_mac"),
    22: (TlsProtocolError, "record_overflow"),
    40: (TlsProtocolError, "no_common_cipher"),
    42: (ClientCertificateRejectedError, "bad_certificate"),
    43: (ClientCertificateRejectedError, "unsupported_certificate"),
    44: (ClientCertificateRejectedError, "certificate_revoked"),
    45: (ClientCertificateRejectedError, "certificate_expired"),
    46: (ClientCertificateRejectedError, "certificate_unknown"),
    47: (TlsProtocolError, "illegal_parameter"),
    48: (ClientCertificateRejectedError, "unknown_ca"),
    49: (ClientCertificateRejectedError, "access_denied"),
    50: (TlsProtocolError, "decode_error"),
    51: (TlsProtocolError, "decrypt_error"),
    70: (TlsProtocolError, "version"),
    71: (TlsProtocolError, "insufficient_security"),
    80: (ConnectionLostError, None),
    86: (TlsProtocolError, "inappropriate_fallback"),
    90: (ConnectionLostError, None),
    109: (TlsProtocolError, "missing_extension"),
    110: (TlsProtocolError, "unsupported_extension"),
    112: (TlsProtocolError, "unrecognized_name"),
    116: (ClientCertificateRejectedError, "certificate_required"),
    120: (TlsProtocolError, None),
    200: (TlsProtocolError, None),
}
"""What each alert becomes. For 120 and for unknown ones not every OpenSSL has a name."""


@pytest.mark.anyio
@pytest.mark.parametrize("number", ALERTS)
async def test_an_alert_is_told_as_what_it_is(number: int) -> None:
    """Each alert has its class and, where OpenSSL knows it, its name."""
    kind, reason = ALERTS[number]
    with ScriptedServer(alerts(number)) as peer, pytest.raises(ProvisioningError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert type(caught.value) is kind
    assert reason is None or getattr(caught.value, "reason", None) == reason
    assert caught.value.phase is Phase.TLS


@pytest.mark.anyio
async def test_an_alert_is_told_while_the_connection_stands() -> None:
    """Nobody waits for a time limit, or for the end, when the server has said why."""
    with ScriptedServer(says(alert(48))) as peer, pytest.raises(ClientCertificateRejectedError):
        await dial(peer.target().at_port(peer.port))


@pytest.mark.anyio
@pytest.mark.parametrize("script", [hangs_up, resets, says_and_hangs_up(b"\x16\x03\x03\x00")])
async def test_an_early_end_is_a_lost_connection(script: Callable[[Line], None]) -> None:
    """A server that closes, resets or breaks off in the handshake is tried again, with a hint."""
    with ScriptedServer(script) as peer, pytest.raises(ConnectionLostError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.phase is Phase.TLS
    assert "client certificate" in caught.value.hint


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="S32-http"),
        pytest.param(b"\x20\x02\x00\x00\x00\x00", id="S32-mqtt"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"220 mail.example.test ESMTP\r\n", id="smtp"),
        pytest.param(bytes(range(256)), id="garbage"),
    ],
)
async def test_what_is_no_tls_is_told_so(said: bytes) -> None:
    """S32: a port without TLS asks the question that helps."""
    with ScriptedServer(says(said)) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.reason == "not_tls"
    assert "check the port" in caught.value.hint


@pytest.mark.anyio
async def test_a_certificate_of_a_hundred_kilobytes_is_not_held() -> None:
    """S28: OpenSSL bounds what a handshake may hold."""
    huge = certify(names=[f"host-{number}.example.test" for number in range(10_000)])
    with ScriptedServer(tls=serving(huge)) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.reason == "too_large"


def speaks(version: ssl.TLSVersion, directory: Path) -> Callable[[Line], None]:
    """Make a server that speaks an outdated TLS version only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs.write(certify(names=[HOST]), directory))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = context.maximum_version = version

    def script(line: Line) -> None:
        with context.wrap_socket(line.sock.dup(), server_side=True):
            line.secured = True

    return script


@pytest.mark.anyio
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_an_outdated_version_is_refused(version: str, tmp_path: Path) -> None:
    """S29: TLS 1.0 and 1.1 are not spoken."""
    script = speaks(ssl.TLSVersion[version], tmp_path)
    with ScriptedServer(script) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.reason == "version"
    assert not peer.lines[0].secured


@pytest.mark.anyio
@pytest.mark.parametrize(
    "cipher",
    [
        pytest.param(b"AES256-GCM-SHA384", id="S30-static-rsa"),
        pytest.param(b"ECDHE-RSA-AES128-SHA", id="S30-cbc-sha1"),
        pytest.param(b"ECDHE-RSA-NULL-SHA", id="S30-null"),
        pytest.param(b"ADH-AES256-GCM-SHA384", id="S30-adh"),
        pytest.param(b"AECDH-AES256-SHA", id="S30-aecdh"),
        pytest.param(b"ECDHE-RSA-AES256-SHA384", id="S31"),
    ],
)
async def test_a_weak_cipher_is_refused(cipher: bytes) -> None:
    """S30, S31: no key exchange without forward secrecy, no cipher that does not authenticate."""
    server = certify(issuer=root(), key=rsa_key(2048), names=[HOST])
    context = serving(server, version=SSL.TLS1_2_VERSION, ciphers=cipher + b":@SECLEVEL=0")
    with ScriptedServer(tls=context) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.reason == "no_common_cipher"
    assert not peer.lines[0].secured


@pytest.mark.anyio
async def test_a_refusal_under_tls_1_3_is_told_when_reading() -> None:
    """The handshake succeeds for the client; the alert comes with the first read."""
    with ScriptedServer(tls=demanding()) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        with pytest.raises(ClientCertificateRejectedError) as caught:
            await connection.receive()

        connection.close()

    assert caught.value.reason == "certificate_required"
    assert caught.value.phase is Phase.SESSION


@pytest.mark.anyio
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_refusal_under_tls_1_3_is_there_after_a_write_that_failed(*, reset: bool) -> None:
    """Writing fails without a reason, but the alert can still be read."""

    def refuses(line: Line) -> None:
        try:
            line.secure(demanding())
        finally:
            if reset:
                line.reset()

    with ScriptedServer(refuses) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        peer.lines[0].ended.wait(LIMIT)
        with pytest.raises(ConnectionLostError):
            await connection.send(b"x" * 10_000_000)

        with pytest.raises(ClientCertificateRejectedError) as caught:
            await connection.receive()

        connection.close()

    assert caught.value.reason == "certificate_required"


@pytest.mark.anyio
async def test_an_early_answer_is_there_after_a_write_that_failed() -> None:
    """A server may answer and hang up before it has read everything: not one byte is lost."""
    with ScriptedServer(steps(b"no, thank you", Line.reset), tls=serving()) as peer:
        connection = await dial(peer.target().at_port(peer.port))
        peer.lines[0].ended.wait(LIMIT)
        with pytest.raises(ConnectionLostError):
            await connection.send(b"x" * 10_000_000)

        answer = await connection.receive()
        connection.close()

    assert answer == b"no, thank you"


@pytest.mark.anyio
async def test_a_refusal_under_tls_1_2_is_told_in_the_handshake() -> None:
    """There the server says no before the handshake is done: in OpenSSL with alert 40."""
    context = demanding(version=SSL.TLS1_2_VERSION)
    with ScriptedServer(tls=context) as peer, pytest.raises(TlsProtocolError) as caught:
        await dial(peer.target().at_port(peer.port))

    assert caught.value.reason == "no_common_cipher"
    assert "client certificate" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "phase", "kind"),
    [
        (errno.ECONNREFUSED, Phase.TCP, ConnectError),
        (errno.ENETUNREACH, Phase.TCP, ConnectError),
        (errno.EHOSTUNREACH, Phase.TCP, ConnectError),
        (errno.EACCES, Phase.TCP, ConnectError),
        (errno.EMFILE, Phase.TCP, ResourceError),
        (errno.ENFILE, Phase.TCP, ResourceError),
        (errno.ENOBUFS, Phase.TLS, ResourceError),
        (errno.ECONNRESET, Phase.TCP, ConnectionLostError),
        (errno.ECONNRESET, Phase.TLS, ConnectionLostError),
        (errno.EPIPE, Phase.TLS, ConnectionLostError),
        (errno.ECONNRESET, Phase.SESSION, ConnectionLostError),
        (errno.EPIPE, Phase.SESSION, ConnectionLostError),
        (errno.ETIMEDOUT, Phase.SESSION, ConnectionLostError),
        (errno.EHOSTUNREACH, Phase.SESSION, ConnectionLostError),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
)
def test_the_systems_errors_are_told_by_number_and_phase(
    number: int, phase: Phase, kind: type[ProvisioningError]
) -> None:
    """Not connected is something else than no longer connected, and than no descriptors left."""
    error = translate(OSError(number, "words"), phase=phase, host="dps.example.test")

    assert type(error) is kind
    assert error.phase is phase


def test_a_name_that_is_not_found_is_a_dns_error() -> None:
    """The resolver's errors have numbers of their own."""
    exc = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = translate(exc, phase=Phase.DNS, host="nowhere.example.test")

    assert isinstance(error, DnsError)
    assert "'nowhere.example.test'" in error.message


def test_an_error_of_openssl_without_a_name_is_told_all_the_same() -> None:
    """A newer OpenSSL has reasons that an older Python has no names for."""
    error = translate(ssl.SSLError(1, "unknown error"), phase=Phase.TLS, host="x")

    assert isinstance(error, TlsProtocolError)
    assert error.reason == "other"


def test_a_refusal_without_its_connection_is_told_in_openssls_words() -> None:
    """Whoever has only the exception gets the same class and reason."""
    exc = ssl.SSLCertVerificationError(1, "words")
    exc.verify_code, exc.verify_message = 10, "certificate has expired"
    error = translate(exc, phase=Phase.TLS, host="x")

    assert isinstance(error, ServerIdentityError)
    assert error.reason == "expired"
    assert "certificate has expired" in error.message


@pytest.mark.anyio
async def test_a_callers_context_is_told_the_same_way() -> None:
    """Refusals do not depend on who made the context."""
    identity = OwnContext(ssl.create_default_context())
    with ScriptedServer(tls=serving()) as peer, pytest.raises(ServerIdentityError) as caught:
        await dial(peer.target(identity=identity).at_port(peer.port))

    assert caught.value.reason == "incomplete_chain"


@pytest.mark.parametrize(
    ("error", "persistent"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), False),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False),
    ],
    ids=str,
)
def test_what_seldom_passes_is_marked(error: OSError, persistent: bool) -> None:
    """A look-up that was answered and a port that refuses; not a network that is not up yet."""
    told = translate(error, phase=Phase.TCP, host="dps.test")

    assert isinstance(told, TransportError)
    assert told.persistent is persistent
