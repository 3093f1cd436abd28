"""The contract of a transport, as a suite that every transport runs.

A transport takes part by a `Kit`: how to open it, and how a peer speaks its language. To add one,
write a kit and put it into `KITS`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tests.protocol.mqtt_bytes import CONNACK
from tests.transports import http_peer, mqtt_peer, peers

from aiodps.protocol.limits import MAX_BODY
from aiodps.transports.base import TransportFactory
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST


@dataclass(frozen=True)
class Kit:
    """A transport, and peers that speak its language."""

    name: str
    peer: type[peers.Peer]
    factory: Callable[[int], TransportFactory]
    backends: tuple[str, ...]
    answering: Callable[[int, bytes], peers.Script]
    """Answers every request with a status and a body."""
    closing_before_answer: peers.Script
    """Closes after the first request."""
    closing_after_answer: peers.Script
    """Closes after the first answer."""
    silent: peers.Script
    """Takes everything and never answers."""
    oversized: peers.Script
    """Answers with more than may be."""

    def __str__(self) -> str:
        """Name the kit in test ids."""
        return self.name


def _rest_answering(status: int, body: bytes) -> peers.Script:
    return http_peer.always(http_peer.answer(status, body, Location="https://evil.test/x"))


def _rest_closing(line: http_peer.Line) -> None:
    line.take()


def _rest_silent(line: http_peer.Line) -> None:
    line.drain()


def _rest_oversized(line: http_peer.Line) -> None:
    line.take()
    line.send(http_peer.answer(200, b"", Content_Length="99999999"))
    _flood(line.sock)


def _mqtt_answering(status: int, body: bytes) -> peers.Script:
    def script(line: mqtt_peer.Line) -> None:
        line.accept()
        while True:
            line.send(line.request().answer(status, body))

    return script


def _mqtt_closing(line: mqtt_peer.Line) -> None:
    line.accept()
    line.request()


def _mqtt_closing_after(line: mqtt_peer.Line) -> None:
    line.accept()
    line.send(line.request().answer(202, b"{}"))


def _mqtt_silent(line: mqtt_peer.Line) -> None:
    line.expect(0x10)
    line.send(CONNACK)
    line.drain()


def _mqtt_oversized(line: mqtt_peer.Line) -> None:
    line.accept()
    line.request()
    line.send(b"\x32\xff\xff\xff\x7f")
    _flood(line.sock)


def _flood(sock: object) -> None:
    """Send more than anybody may take, until the client hangs up."""
    assert isinstance(sock, ssl.SSLSocket)
    try:
        for _ in range(1024):
            sock.sendall(b"x" * MAX_BODY)
    except OSError:
        return

    raise AssertionError("the client took 256 MB")


KITS = [
    Kit(
        name="rest",
        peer=http_peer.Peer,
        factory=lambda port: REST(port=port),
        backends=("asyncio", "trio"),
        answering=_rest_answering,
        closing_before_answer=_rest_closing,
        closing_after_answer=http_peer.once(http_peer.answer(202)),
        silent=_rest_silent,
        oversized=_rest_oversized,
    ),
    Kit(
        name="mqtt",
        peer=mqtt_peer.Peer,
        factory=lambda port: MQTT(port=port),
        backends=("asyncio",),
        answering=_mqtt_answering,
        closing_before_answer=_mqtt_closing,
        closing_after_answer=_mqtt_closing_after,
        silent=_mqtt_silent,
        oversized=_mqtt_oversized,
    ),
]

CASES = [(kit, backend) for kit in KITS for backend in kit.backends]
