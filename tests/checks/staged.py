"""Networks and devices in which something is staged to be wrong."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.certificates import certify, root
from tests.scripted.http import Line, answer
from tests.scripted.server import Script
from tests.transports.hosts import DPS

from aiodps.checks.model.finding import Finding
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.endpoint import check_endpoint
from aiodps.network.trust import Trust
from aiodps.pki import Credential

WITHIN = 60.0
"""Seconds after which a check that hangs has failed."""
REST = ("rest",)


def server(**flaws: Any) -> Credential:
    """Make a server's certificate for the host of the checks, below the trusted root."""
    return certify("server", **{"issuer": root(), "names": [DPS], **flaws})


def date(ahead: timedelta = timedelta(0)) -> str:
    """Write a Date header, of a clock that is ahead of this machine's."""
    return format_datetime(datetime.now(UTC) + ahead, usegmt=True)


def clock(ahead: timedelta) -> Callable[[], datetime]:
    """Make a clock of a machine that is ahead."""
    return lambda: datetime.now(UTC) + ahead


def answering(status: int = 404, **headers: str) -> Script:
    """Answer one request, with the right time unless another is given."""

    def script(line: Line) -> None:
        line.take()
        line.send(answer(status, b"{}", **{"Date": date(), **headers}))
        line.drain()

    return script


def upgrading(*, accept: str = "", protocol: str = "mqtt") -> Script:
    """Answer one request with an upgrade to WebSocket."""

    def script(line: Line) -> None:
        head, _ = line.take()
        key = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)[0]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 (RFC 6455)
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            *("Upgrade: websocket", "Connection: Upgrade"),
            f"Sec-WebSocket-Accept: {accept or base64.b64encode(digest).decode()}",
            f"Sec-WebSocket-Protocol: {protocol}",
        ]
        line.send("\r\n".join([*lines, "", ""]).encode())
        line.drain()

    return script


def plan(*ports: int, names: tuple[str, ...] = REST, **more: Any) -> Plan:
    """Plan to check ports of a host that leads to loopback."""
    trust = Trust.of(root().certificate_pem)
    base = {"host": DPS, "paths": dict.fromkeys(ports, names), "trust": trust}
    return Plan(**{**base, **more})


async def findings(planned: Plan) -> dict[str, Finding]:
    """Check an endpoint; return the findings by check, in their order."""
    found: list[Finding] = []
    await check_endpoint(planned, within=WITHIN, show=found.append)
    return {each.check: each for each in found}
