"""The handshakes by which a proxy is asked for a connection to the service, without a socket.

    handshake = start(proxy, "dps.example", 443)
    sending = next(handshake)
    while True:                               # until StopIteration: the tunnel is open
        sending = handshake.send(arrived)     # b"" if the proxy has closed the connection

HTTP CONNECT is that of RFC 9110, section 9.3.6, with Basic authentication (RFC 7617); SOCKS is
version 5 (RFC 1928) with none, or with user and password (RFC 1929). The proxy looks names up.

The service says nothing before it is greeted, so what follows a proxy's answer at once is the
proxy's own, and an error. Answers are limited in size, and none of their words gets into an error.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Generator
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar

import h11

from aiodps.errors import ConnectionLostError, ProxyError
from aiodps.network.proxy import Proxy, authority
from aiodps.protocol.limits import MAX_INTERIM_RESPONSES
from aiodps.version import __version__

T = TypeVar("T")
Steps: TypeAlias = Generator[memoryview, bytes, T]
Handshake: TypeAlias = Steps[None]
"""Yields what is to be sent, which may be nothing, and takes what has arrived since. A view does
not show the password in a traceback with locals."""

MAX_HEAD: Final = 16 * 1024
"""Bytes of the head of a response to CONNECT."""
_NOTHING: Final = memoryview(b"")


def start(proxy: Proxy, host: str, port: int) -> Handshake:
    """Return the handshake that asks a proxy for a connection to a host.

    Raises (when it is run):
        ProxyError: If the proxy refuses, or answers with what is not its protocol.
        ConnectionLostError: If the proxy closes the connection.
    """
    return _http(proxy, host, port) if proxy.scheme == "http" else _socks5(proxy, host, port)


def _http(proxy: Proxy, host: str, port: int) -> Handshake:
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    sending = memoryview(http.send(_request(proxy, authority(host, port))))
    http.send(h11.EndOfMessage())
    response = yield from _response(proxy, http, sending)
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        raise _http_error(proxy, response)

    surplus, _ = http.trailing_data
    _check_nothing_follows(proxy, surplus)


def _request(proxy: Proxy, target: str) -> h11.Request:
    headers = [("Host", target), ("User-Agent", f"aiodps/{__version__}")]
    if proxy.user is not None:
        basic = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        headers.append(("Proxy-Authorization", f"Basic {basic}"))

    return h11.Request(method="CONNECT", target=target, headers=headers)


def _response(proxy: Proxy, http: h11.Connection, sending: memoryview) -> Steps[h11.Response]:
    for _ in range(MAX_INTERIM_RESPONSES + 1):
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data((yield from _exchange(proxy, sending)))
                sending = _NOTHING
        except h11.RemoteProtocolError as exc:
            raise _not_understood(proxy) from exc

        if isinstance(event, h11.Response):
            return event

    raise _not_understood(proxy)


def _exchange(proxy: Proxy, sending: memoryview) -> Steps[bytes]:
    data = yield sending
    if data:
        return data

    raise ConnectionLostError(
        f"the proxy {proxy} closed the connection and did not answer",
        hint="check that it is a proxy of this scheme, and whether it needs a user and password",
    )


_AUTHENTICATION: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
"""407, and 401: tinyproxy's answer to a wrong password."""
_BUSY: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_OTHER_SCHEMES: Final = ("negotiate", "ntlm", "digest", "kerberos")


def _http_error(proxy: Proxy, response: h11.Response) -> ProxyError:
    status = response.status_code
    if status in _AUTHENTICATION:
        return _unauthenticated(proxy, status=status, hint=_hint_about_scheme(response))

    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _BUSY:
        return ProxyError(
            f"the proxy {proxy} could not connect to the service (status {status})",
            reason="unavailable",
            status_code=status,
        )

    forbidden = status == HTTPStatus.FORBIDDEN
    return ProxyError(
        f"the proxy {proxy} refused to connect to the service (status {status})",
        reason="forbidden" if forbidden else "refused",
        status_code=status,
        hint=_ASK_FOR_LEAVE if forbidden else "check that this is a proxy, and takes CONNECT",
    )


_ASK_FOR_LEAVE: Final = (
    "have the proxy allow this endpoint and port; many allow 443 alone: then use transport='rest'"
)


def _hint_about_scheme(response: h11.Response) -> str | None:
    offered = [value.lower() for name, value in response.headers if name == b"proxy-authenticate"]
    if not offered or any(value.startswith(b"basic") for value in offered):
        return None

    named = [each for each in _OTHER_SCHEMES if any(each.encode() in one for one in offered)]
    return f"it wants {' or '.join(named) or 'another scheme'}, and aiodps has Basic alone"


def _unauthenticated(
    proxy: Proxy, *, status: int | None = None, hint: str | None = None
) -> ProxyError:
    shown = "" if status is None else f" (status {status})"
    refused = "requires a user and password" if proxy.user is None else "refused user and password"
    return ProxyError(
        f"the proxy {proxy} {refused}{shown}",
        reason="authentication",
        status_code=status,
        hint=hint or "correct user and password, in proxy= or in the file proxy_password_file",
    )


_VERSION: Final = 5
_NO_AUTHENTICATION, _USER_AND_PASSWORD, _NONE_ACCEPTABLE = 0, 2, 0xFF
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ADDRESS_SIZES: Final = {_IPV4: 4, _IPV6: 16}


def _socks5(proxy: Proxy, host: str, port: int) -> Handshake:
    peer = _Socks(proxy)
    methods = bytes([_NO_AUTHENTICATION, *([] if proxy.user is None else [_USER_AND_PASSWORD])])
    version, method = yield from peer.ask(bytes([_VERSION, len(methods)]) + methods, 2)
    if version != _VERSION:
        raise _not_understood(proxy)

    if method == _USER_AND_PASSWORD and proxy.user is not None:
        _, status = yield from peer.ask(_credentials(proxy), 2)
        if status:
            raise _unauthenticated(proxy)
    elif method == _NONE_ACCEPTABLE:
        raise _unauthenticated(proxy)
    elif method != _NO_AUTHENTICATION:
        raise _not_understood(proxy)

    request = bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2)
    version, reply, _, kind = yield from peer.ask(request, 4)
    if version != _VERSION or (not reply and kind not in {*_ADDRESS_SIZES, _NAME}):
        raise _not_understood(proxy)

    if reply:
        raise _socks_error(proxy, reply)

    size = _ADDRESS_SIZES.get(kind) or (yield from peer.take(1))[0]
    yield from peer.take(size + 2)
    _check_nothing_follows(proxy, peer.received)


class _Socks:
    """What a SOCKS proxy has said, in pieces of known size."""

    def __init__(self, proxy: Proxy) -> None:
        self.received = bytearray()
        self._proxy = proxy

    def ask(self, request: bytes | memoryview, size: int) -> Steps[bytes]:
        """Send a request, and return the first bytes of its answer."""
        _check_nothing_follows(self._proxy, self.received)
        self.received += yield from _exchange(self._proxy, memoryview(request))
        return (yield from self.take(size))

    def take(self, size: int) -> Steps[bytes]:
        """Return the next bytes."""
        while len(self.received) < size:
            self.received += yield from _exchange(self._proxy, _NOTHING)

        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken


def _credentials(proxy: Proxy) -> memoryview:
    """Return version 1 of the negotiation of user and password. Source: RFC 1929, section 2."""
    given = [(text or "").encode() for text in (proxy.user, proxy.password)]
    return memoryview(b"\x01" + b"".join(bytes([len(text)]) + text for text in given))


def _address(host: str) -> bytes:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return bytes([_NAME, len(host)]) + host.encode("ascii")

    return bytes([_IPV4 if literal.version == 4 else _IPV6]) + literal.packed  # noqa: PLR2004 (IPv4)


_REPLIES: Final = {
    1: ("general failure", "unavailable"),
    2: ("not allowed by its rules", "forbidden"),
    3: ("network unreachable", "unavailable"),
    4: ("host unreachable", "unavailable"),
    5: ("connection refused", "unavailable"),
    6: ("TTL expired", "unavailable"),
    7: ("command not supported", "refused"),
    8: ("address type not supported", "refused"),
}
"""What each reply means, and the reason of its error. Source: RFC 1928, section 6."""
_REFUSED: Final = 5


def _socks_error(proxy: Proxy, reply: int) -> ProxyError:
    meaning, reason = _REPLIES.get(reply, ("unknown", "unavailable"))
    error = ProxyError(
        f"the proxy {proxy} did not connect to the service (reply {reply}, {meaning})",
        reason=reason,
        status_code=reply,
        hint=_ASK_FOR_LEAVE if reason == "forbidden" else None,
    )
    error.persistent = reply == _REFUSED
    return error


def _check_nothing_follows(proxy: Proxy, surplus: bytes | bytearray) -> None:
    if surplus:
        raise _not_understood(proxy)


def _not_understood(proxy: Proxy) -> ProxyError:
    error = ProxyError(
        f"the proxy {proxy} did not answer as a proxy of this scheme does",
        reason="protocol",
        hint="check its scheme and port: http for CONNECT, socks5 for SOCKS version 5",
    )
    error.persistent = True
    return error
