"""The answer to an upgrade is that of a server that speaks MQTT over WebSocket, or it is not."""

from __future__ import annotations

import pytest

from aiodps.checks.model.finding import Verdict
from aiodps.checks.network.http import Answer
from aiodps.checks.network.websocket import interpret

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455 1.3."""


@pytest.mark.parametrize(
    ("status", "headers", "verdict"),
    [
        (101, {"sec-websocket-accept": ACCEPT, "sec-websocket-protocol": "mqtt"}, Verdict.GOOD),
        (101, {"sec-websocket-accept": ACCEPT}, Verdict.BAD),
        (101, {"sec-websocket-accept": "x", "sec-websocket-protocol": "mqtt"}, Verdict.BAD),
        (404, {}, Verdict.BAD),
    ],
)
def test_interpret(status: int, headers: dict[str, str], verdict: Verdict) -> None:
    """Status, accept and subprotocol all count."""
    assert interpret("websocket 443", Answer(status, headers), KEY).verdict is verdict
