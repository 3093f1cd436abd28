"""What is said to a proxy, and what is made of its answers, without a socket."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scripted.proxies import BASIC, KINDS, PASSWORD, USER, Kind

from aiodps.errors import ConnectionLostError, ProvisioningError, ProxyError
from aiodps.network.proxy_handshake import MAX_HEAD, start
from aiodps.registration.retry import RetryClass, classify
from aiodps.version import __version__

CONNECT, CONNECT_PASSWORD, SOCKS, SOCKS_PASSWORD = KINDS
OK = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def talk(kind: Kind, *arrivals: bytes, host: str = "dps.example", port: int = 443) -> list[bytes]:
    """Let what arrives arrive; return what was sent, once the tunnel is open."""
    handshake = start(kind.proxy(3128, host="proxy.example"), host, port)
    sent = [bytes(next(handshake))]
    for arrival in arrivals:
        try:
            sent.append(bytes(handshake.send(arrival)))
        except StopIteration:
            return [each for each in sent if each]

    raise AssertionError("it waits for more")


def failed(kind: Kind, *arrivals: bytes) -> ProvisioningError:
    """Return the error that it comes to, which has no secret and names the proxy."""
    with pytest.raises(ProvisioningError) as caught:
        talk(kind, *arrivals, b"")

    error = caught.value
    told = f"{error} {error.facts()!r}"
    assert f"{kind.scheme}://proxy.example:3128" in error.message
    for secret in (USER, PASSWORD, BASIC.decode()):
        assert secret not in told

    return error


def answers(kind: Kind) -> list[bytes]:
    """List what lets a kind's handshake succeed."""
    return [stage.answer for stage in kind.stages]


# What is sent


def test_connect() -> None:
    """RFC 9110, section 9.3.6: the authority, and no more than is needed."""
    [request] = talk(CONNECT, OK)

    assert request == (
        b"CONNECT dps.example:443 HTTP/1.1\r\n"
        b"Host: dps.example:443\r\n"
        b"User-Agent: aiodps/" + __version__.encode() + b"\r\n\r\n"
    )


def test_connect_with_a_password() -> None:
    """RFC 7617."""
    [request] = talk(CONNECT_PASSWORD, OK)

    assert b"\r\nProxy-Authorization: Basic " + BASIC + b"\r\n" in request


def test_connect_to_ipv6() -> None:
    """In brackets."""
    [request] = talk(CONNECT, OK, host="fd00::1", port=8883)

    assert request.startswith(b"CONNECT [fd00::1]:8883 HTTP/1.1\r\nHost: [fd00::1]:8883\r\n")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("dps.example", b"\x03\x0bdps.example"),
        ("10.0.0.1", b"\x01\x0a\x00\x00\x01"),
        ("fd00::1", b"\x04\xfd" + 14 * b"\x00" + b"\x01"),
    ],
)
def test_socks(host: str, address: bytes) -> None:
    """RFC 1928, section 4: names go to the proxy as they are."""
    sent = talk(SOCKS, *answers(SOCKS), host=host, port=8883)

    assert sent == [b"\x05\x01\x00", b"\x05\x01\x00" + address + b"\x22\xb3"]


def test_socks_with_a_password() -> None:
    """RFC 1929; a proxy that wants none gets none."""
    greeting, login, request = talk(SOCKS_PASSWORD, *answers(SOCKS_PASSWORD))

    assert greeting == b"\x05\x02\x00\x02"
    assert login == b"\x01\x0b" + USER.encode() + b"\x1c" + PASSWORD.encode()
    assert talk(SOCKS_PASSWORD, *answers(SOCKS)) == [greeting, request]


# What lets it go on


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + OK,
    ],
)
def test_every_2xx_opens_the_tunnel(answer: bytes) -> None:
    """Whatever its headers say of a body, and whatever came before."""
    talk(CONNECT, answer)


@pytest.mark.parametrize(
    "bound",
    [b"\x01\x00\x00\x00\x00\x00\x00", b"\x03\x04host\x01\xbb", b"\x04" + 18 * b"\x00"],
)
def test_every_kind_of_bound_address(bound: bytes) -> None:
    """It is read to its end and not used."""
    talk(SOCKS, b"\x05\x00", b"\x05\x00\x00" + bound)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_byte_by_byte(kind: Kind) -> None:
    """The same comes of it."""
    pieces = [bytes([byte]) for answer in answers(kind) for byte in answer]

    assert talk(kind, *pieces) == talk(kind, *answers(kind))


# What does not


@pytest.mark.parametrize(
    ("status", "reason", "retried"),
    [
        (301, "refused", RetryClass.FINAL),
        (400, "refused", RetryClass.FINAL),
        (401, "authentication", RetryClass.FINAL),
        (403, "forbidden", RetryClass.FINAL),
        (405, "refused", RetryClass.FINAL),
        (407, "authentication", RetryClass.FINAL),
        (429, "unavailable", RetryClass.TRANSIENT),
        (500, "unavailable", RetryClass.TRANSIENT),
        (502, "unavailable", RetryClass.TRANSIENT),
        (503, "unavailable", RetryClass.TRANSIENT),
        (504, "unavailable", RetryClass.TRANSIENT),
    ],
)
@pytest.mark.parametrize("kind", [CONNECT, CONNECT_PASSWORD], ids=str)
def test_http_errors(kind: Kind, status: int, reason: str, retried: RetryClass) -> None:
    """Each is the proxy's own, and none of its words is repeated."""
    phrase = f"{PASSWORD} {BASIC.decode()}".encode()
    error = failed(kind, b"HTTP/1.1 %d %s\r\nContent-Length: 9\r\n\r\nno" % (status, phrase))

    assert isinstance(error, ProxyError)
    assert (error.reason, error.status_code) == (reason, status)
    assert classify(error) is retried
    assert str(status) in error.message


def test_a_refused_password_is_told_from_a_missing_one() -> None:
    """Over both schemes."""
    refusal = b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"
    assert "requires" in failed(CONNECT, refusal).message
    assert "refused" in failed(CONNECT_PASSWORD, refusal).message
    assert "requires" in failed(SOCKS, b"\x05\xff").message
    assert "refused" in failed(SOCKS_PASSWORD, b"\x05\xff").message
    assert "refused" in failed(SOCKS_PASSWORD, b"\x05\x02", b"\x01\x01").message


def test_other_schemes_are_named() -> None:
    """Of those that we know; a proxy's own words are not repeated."""
    refusal = b"HTTP/1.1 407 x\r\nProxy-Authenticate: %s\r\n\r\n"

    assert "ntlm" in failed(CONNECT_PASSWORD, refusal % b"NTLM").hint
    assert "another scheme" in failed(CONNECT_PASSWORD, refusal % b"Evil hint").hint


@pytest.mark.parametrize(
    ("reply", "reason", "retried"),
    [
        (1, "unavailable", RetryClass.TRANSIENT),
        (2, "forbidden", RetryClass.FINAL),
        (3, "unavailable", RetryClass.TRANSIENT),
        (4, "unavailable", RetryClass.TRANSIENT),
        (5, "unavailable", RetryClass.PERSISTENT),
        (6, "unavailable", RetryClass.TRANSIENT),
        (7, "refused", RetryClass.FINAL),
        (8, "refused", RetryClass.FINAL),
        (99, "unavailable", RetryClass.TRANSIENT),
    ],
)
def test_socks_errors(reply: int, reason: str, retried: RetryClass) -> None:
    """RFC 1928, section 6; also if the rest of the reply is missing."""
    error = failed(SOCKS, b"\x05\x00", bytes([5, reply, 0, 1]))

    assert isinstance(error, ProxyError)
    assert (error.reason, error.status_code) == (reason, reply)
    assert classify(error) is retried


@pytest.mark.parametrize(
    ("kind", "arrivals"),
    [
        pytest.param(CONNECT, [b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], id="another protocol"),
        pytest.param(CONNECT, [b"\x05\x00" + 8 * b"\r\n"], id="socks"),
        pytest.param(CONNECT, [b"HTTP/1.1 200 OK\r\n" + MAX_HEAD * b"x"], id="endless head"),
        pytest.param(CONNECT, [9 * b"HTTP/1.1 100 x\r\n\r\n" + OK], id="interim responses"),
        pytest.param(CONNECT, [b"HTTP/1.1 101 x\r\n\r\n"], id="another protocol is offered"),
        pytest.param(CONNECT, [OK + b"<html>"], id="a captive portal"),
        pytest.param(SOCKS, [b"HTTP/1.1 400 Bad Request\r\n"], id="http"),
        pytest.param(SOCKS, [b"\x04\x00"], id="version 4"),
        pytest.param(SOCKS, [b"\x05\x02"], id="a method that was not offered"),
        pytest.param(SOCKS, [b"\x05\x01"], id="a method that nobody knows"),
        pytest.param(SOCKS, [b"\x05\x00\x05"], id="an answer before its question"),
        pytest.param(SOCKS, [b"\x05\x00", b"\x05\x00\x00\x02"], id="an unknown address"),
        pytest.param(SOCKS, [b"\x05\x00", b"\x04\x00\x00\x01"], id="another version later"),
        pytest.param(SOCKS, [b"\x05\x00", b"\x05\x00\x00\x01" + 7 * b"\0"], id="a byte more"),
    ],
)
def test_what_is_no_proxy(kind: Kind, arrivals: Sequence[bytes]) -> None:
    """It is told as that, and is tried again a few times only."""
    error = failed(kind, *arrivals)

    assert isinstance(error, ProxyError)
    assert error.reason == "protocol"
    assert classify(error) is RetryClass.PERSISTENT


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_closed_at_any_byte(kind: Kind) -> None:
    """It is a lost connection, which is tried again."""
    pieces = [bytes([byte]) for answer in answers(kind) for byte in answer]
    for end in range(len(pieces)):
        error = failed(kind, *pieces[:end])
        assert type(error) is ConnectionLostError
        assert classify(error) is RetryClass.TRANSIENT


@given(
    st.sampled_from(KINDS),
    st.lists(st.one_of(st.binary(min_size=1), st.sampled_from([OK, b"\x05\x00", b"\x05\x02"]))),
)
def test_any_bytes(kind: Kind, arrivals: list[bytes]) -> None:
    """They open the tunnel or end in one of two errors; nothing is waited for after the end."""
    with contextlib.suppress(ProxyError, ConnectionLostError):
        talk(kind, *arrivals, b"")


@given(st.sampled_from(KINDS), st.binary(), st.data())
def test_any_bytes_in_any_pieces(kind: Kind, after: bytes, data: st.DataObject) -> None:
    """How the last answer arrives makes no difference, whatever it is."""
    first, last = answers(kind)[:-1], answers(kind)[-1]
    cut = data.draw(st.integers(0, len(last)))
    whole = last[:cut] + after
    split = data.draw(st.integers(0, len(whole)))

    def outcome(*pieces: bytes) -> object:
        try:
            return talk(kind, *first, *(piece for piece in pieces if piece), b"")
        except (ProxyError, ConnectionLostError) as error:
            return type(error), error.message

    if outcome(whole) != outcome(whole[:split], whole[split:]):
        # What follows the end is seen only if it comes with it.
        assert len(whole) > len(last)
