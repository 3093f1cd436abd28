"""The faults of the matrix, each with the ways in which it strikes."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio.lowlevel
from OpenSSL import SSL
from tests.certificates import DAY, certify, other_root, root
from tests.reliability.faulty_service import GLANCE, FaultyService, Strike, Turn
from tests.scripted.server import alert
from tests.scripted.tls import serving

from aiodps.protocol.limits import MAX_BODY

DEADLINE = 5000.0
"""Seconds that the client is given for a registration."""
HOUR = 3600.0
REFUSED = (42, 43, 44, 45, 46, 48, 49, 116)
DISAGREED = (40, 70, 71, 86, 112, 120)
TEMPORARY = (80, 90)


def reset(turn: Turn) -> None:
    """Close with RST."""
    turn.line.reset()
    turn.over()


def end(turn: Turn) -> None:
    """Close in order."""
    turn.line.end()
    turn.over()


def cut(turn: Turn) -> None:
    """Send all but the last byte, then close in order."""
    turn.line.send(turn.usual[:-1])
    turn.line.end()
    turn.over()


def hold(turn: Turn) -> None:
    """Say nothing any more."""
    turn.hold()


def drip(turn: Turn) -> None:
    """Send a byte every half second, and never the last one."""
    for byte in turn.usual[:-1]:
        turn.line.send(bytes([byte]))
        turn.jump(0.5)

    turn.hold()


def garbage(turn: Turn) -> None:
    """Send what is of no protocol."""
    turn.line.send(b"\xff" * 64 + b"\r\n\r\n")
    turn.over()


def delayed(turn: Turn) -> None:
    """Send a second and a half late."""
    turn.jump(1.5)
    turn.line.send(turn.usual)


def narrow(turn: Turn) -> None:
    """Send 4 kB a second."""
    for start in range(0, len(turn.usual), 400):
        turn.line.send(turn.usual[start : start + 400])
        turn.jump(0.1)


def bytewise(turn: Turn) -> None:
    """Send each byte in a segment of its own."""
    for byte in turn.usual:
        turn.line.send(bytes([byte]))


def twice(turn: Turn) -> None:
    """Send the same once more behind it."""
    turn.line.send(turn.usual, turn.usual)


def late(turn: Turn) -> None:
    """Send it when the client has given up, over whatever connection it has then."""
    turn.service.stale = turn.usual if turn.service.speaks == "mqtt" else b""
    turn.hold()


def of_another(turn: Turn, **members: Any) -> None:
    """Send an answer about somebody else."""
    state = turn.body.get("registrationState", {})
    body = {**turn.body, **members}
    body["registrationState"] = {**state, **members.get("registrationState", {})}
    turn.line.send(turn.write(200, json.dumps(body).encode()))


def of_another_request(turn: Turn) -> None:
    """Send the answer to another request first."""
    size = turn.usual.index(b"$rid=") + 5
    turn.line.send(turn.usual[:size] + b"0" + turn.usual[size + 1 :], turn.usual)


def says(status: int, wait: int | None = None) -> Callable[[Turn], bool]:
    """Make a refusal."""

    def act(turn: Turn) -> bool:
        turn.line.send(turn.write(status, b'{"errorCode":0}', wait=wait))
        return True

    return act


def alerts(number: int) -> Callable[[Turn], None]:
    """Make a fatal alert: a plain one in the handshake, an encrypted one later."""

    def act(turn: Turn) -> None:
        if turn.line.tls is None:
            turn.line.send(alert(number))
        else:
            turn.line.tls.alert(number)

        turn.line.sock.shutdown(socket.SHUT_WR)
        turn.over()

    return act


def oversized(turn: Turn) -> None:
    """Send more than anybody takes."""
    if turn.line.tls is None:
        turn.line.send(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(0x4000 - 4))
    elif turn.service.speaks == "mqtt":
        turn.line.send(turn.usual[:1] + b"\xff\xff\xff\x7f" + bytes(64))
    else:
        turn.line.send(turn.write(200, b"x" * (MAX_BODY + 1)))

    turn.over()


async def refuse(_: FaultyService) -> None:
    """Refuse the connection."""
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


async def exhaust(_: FaultyService) -> None:
    """Have no descriptor left."""
    raise no_descriptors()


def no_descriptors() -> OSError:
    """Make what the kernel says then."""
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def raising(error: OSError) -> Callable[[FaultyService], None]:
    """Let a look-up end like that."""

    def act(_: FaultyService) -> None:
        raise error

    return act


async def reset_connect(_: FaultyService) -> None:
    """Reset the connection while it comes about."""
    raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


async def delayed_connect(service: FaultyService) -> None:
    """Let the connection take a second and a half."""
    service.jump(1.5)


async def swallow(service: FaultyService) -> None:
    """Let the connection never come about; the client's clock runs."""
    while True:
        service.jump(11.0)
        await anyio.lowlevel.checkpoint()


def look_up_for_ever(service: FaultyService) -> None:
    """Answer no look-up until the client has given up; its clock runs."""
    # All attempts wait for the same look-up.
    while not service.retried.wait(GLANCE / 1000):
        service.jump(6.0)


def meanwhile(work: Callable[[FaultyService], object], *, then_holds: bool) -> dict[str, Any]:
    """Let something happen to the client while the service does its part, or stays silent."""

    def over(turn: Turn) -> None:
        work(turn.service)
        if then_holds:
            turn.hold(jump=0)
        else:
            turn.line.send(turn.usual)

    def look_up(service: FaultyService) -> None:
        work(service)
        if then_holds:
            service.retried.wait()

    async def connect(service: FaultyService) -> None:
        work(service)
        if then_holds:
            await anyio.sleep_forever()

    return {"over": over, "look_up": look_up, "connect": connect, "at_end": work}


def cancelled(service: FaultyService) -> None:
    """Cancel the client."""
    service.call(service.cancel)


def out_of_time(service: FaultyService) -> None:
    """Let the client's whole time pass."""
    service.jump(DEADLINE)


def wrong_host() -> SSL.Context:
    """Show a certificate for another host."""
    return serving(certify("other", issuer=root(), names=["other.example"]))


def expired() -> SSL.Context:
    """Show a certificate that has expired."""
    return serving(
        certify("server", issuer=root(), names=["localhost"], starts=-2 * DAY, ends=-DAY)
    )


def unknown() -> SSL.Context:
    """Show a certificate of a root that nobody knows."""
    return serving(certify("server", issuer=other_root(), names=["localhost"]))


def turned(seconds: float) -> Callable[[FaultyService], None]:
    """Set the wall clock of the client's machine."""

    def act(service: FaultyService) -> None:
        service.wall_clock += seconds

    return act


def refused_session(code: int) -> Strike:
    """Answer CONNECT with a refusal."""
    return Strike(
        name=f"connack-{code}", over=lambda turn: turn.line.send(b"\x20\x02\x00" + bytes([code]))
    )


def refusals(*codes: int, wait: int | None = None) -> list[Strike]:
    """Make a way to strike for each status."""
    return [Strike(name=str(code), over=says(code, wait)) for code in codes]


def alerted(*numbers: int) -> list[Strike]:
    """Make a way to strike for each alert."""
    return [Strike(name=f"alert-{number}", over=alerts(number)) for number in numbers]


def somebody_else(transport: str, phase: str) -> list[Strike]:
    """List whom an answer may be for instead."""
    other_id = partial(of_another, registrationState={"registrationId": "other"})
    found = [Strike(name="registration-id", over=other_id)]
    if phase != "ANSWER":
        found.append(Strike(name="operation-id", over=partial(of_another, operationId="other")))

    if transport == "mqtt":
        found.append(Strike(name="rid", over=of_another_request))

    return found


SILENT = Strike(over=hold, look_up=look_up_for_ever, connect=swallow)
FAULTS: dict[str, list[Strike]] = {
    "F01": [Strike(level="TCP", connect=refuse)],
    "F02": [Strike(level="TCP", connect=swallow)],
    "F03": [Strike(over=reset, connect=reset_connect)],
    "F04": [Strike(over=end)],
    "F05": [SILENT],
    "F06": [Strike(over=drip)],
    "F07": [Strike(over=cut)],
    "F08": [Strike(over=garbage)],
    "F09": [
        Strike(over=delayed, look_up=lambda service: service.jump(1.5), connect=delayed_connect)
    ],
    "F10": [Strike(over=narrow)],
    "F11": [Strike(over=bytewise)],
    "F12": [SILENT],
    "F13": [Strike(over=twice)],
    "F14": [Strike(over=late)],
    "F16": refusals(429, wait=7),
    "F17": refusals(429),
    "F18": refusals(500, 502, 503, 504),
    "F19": refusals(400, 401, 403, 409, 412),
    "F20": [
        Strike(name=name, level="DNS", look_up=raising(socket.gaierror(code, "not found")))
        for name, code in (("nxdomain", socket.EAI_NONAME), ("servfail", socket.EAI_AGAIN))
    ],
    "F21": [
        Strike(name=context.__name__.replace("_", "-"), level="TLS", context=context)
        for context in (wrong_host, expired, unknown)
    ],
    "F22": alerted(*REFUSED),
    "F23": alerted(*DISAGREED),
    "F24": alerted(*TEMPORARY),
    "F25": [Strike(level="TCP", connect=exhaust)],
    "F28": [
        Strike(name=name, **meanwhile(turned(seconds), then_holds=False))
        for name, seconds in (("forward", HOUR), ("back", -HOUR))
    ],
    "F29": [Strike(**meanwhile(cancelled, then_holds=True))],
    "F30": [Strike(**meanwhile(out_of_time, then_holds=True))],
    "F33": refusals(404),
    "F34": [Strike(over=end)],
    "F35": refusals(301, 307),
    "F36": [Strike(over=oversized)],
}
"""Ways to strike, in any phase that is not below."""
SPECIAL: dict[tuple[str, str, str], list[Strike]] = {
    **{
        ("F20", transport, "TCP"): [
            Strike(level="DNS", look_up=lambda _: ("127.0.0.2", "127.0.0.1"))
        ]
        for transport in ("rest", "mqtt")
    },
    **{
        ("F25", transport, "DNS"): [Strike(level="DNS", look_up=raising(no_descriptors()))]
        for transport in ("rest", "mqtt")
    },
    ("F13", "mqtt", "SEND"): [Strike(over=twice)],
    ("F18", "mqtt", "SEND"): [refused_session(3)],
    ("F19", "mqtt", "SEND"): [refused_session(code) for code in (1, 2, 4, 5)],
}


def strikes(fault: str, transport: str, phase: str, *, turn: int) -> list[Strike]:
    """List the ways in which a fault strikes in a cell.

    All of them in the first phase that it can strike in; in each later one, whose turn it is.
    """
    if (found := SPECIAL.get((fault, transport, phase))) is not None:
        return found

    found = FAULTS.get(fault) or somebody_else(transport, phase)
    chosen = found if turn == 0 or fault == "F15" else [found[turn % len(found)]]
    if (transport, phase) != ("mqtt", "SEND"):
        return chosen

    return [
        replace(each, name="-".join(filter(None, (packet, each.name))), packet=packet)
        for packet in ("connect", "subscribe")
        for each in chosen
    ]
