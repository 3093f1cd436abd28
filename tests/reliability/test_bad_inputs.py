"""Bad inputs that no other test holds; `tests/structure` holds each row of the table to a test.

S are server certificates, K a device's own keys and certificates, C values from the caller, H
answers over HTTP, J their JSON, M what arrives over MQTT.
"""

from __future__ import annotations

import json
import math

import pytest
from tests.reliability.faulty_service import OPERATION, Strike, Turn
from tests.reliability.trial import FAILURES, Trial
from tests.virtual_time import on_asyncio

import aiodps
from aiodps import errors


def cut_at_its_end(turn: Turn) -> None:
    """Send half of a body that ends with the connection."""
    body = json.dumps(turn.body).encode()
    turn.line.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", body[:20])
    turn.line.end()
    turn.over()


def million_keys(turn: Turn) -> None:
    """Send an object of a million members."""
    turn.line.send(turn.write(200, b"{%b}" % b",".join(b'"%d":0' % n for n in range(1_000_000))))


def sends(status: int, body: bytes) -> Strike:
    """Answer with this."""
    return Strike(over=lambda turn: turn.line.send(turn.write(status, body)))


@on_asyncio
@pytest.mark.sockets
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("strike", "error", "attempts"),
    [
        pytest.param(Strike(over=cut_at_its_end), errors.MalformedResponseError, 2, id="H14"),
        pytest.param(sends(600, b"{}"), errors.UnexpectedStatusError, 1, id="H18-600"),
        pytest.param(sends(999, b"{}"), errors.UnexpectedStatusError, 1, id="H18-999"),
        pytest.param(sends(200, b""), errors.MalformedResponseError, 2, id="H19"),
        pytest.param(Strike(over=million_keys), errors.ResponseTooLargeError, 1, id="J06"),
    ],
)
async def test_answers(
    strike: Strike,
    error: type[aiodps.ProvisioningError],
    attempts: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """H14, H18, H19, J06: a bad answer ends the registration in its error."""
    trial = Trial(strike, transport="rest", phase="POLL", times=math.inf)
    trial.install(monkeypatch)
    await trial.run()

    assert type(trial.error) is error
    assert isinstance(trial.error, aiodps.ProvisioningError)
    assert trial.error.attempts == attempts < FAILURES
    assert trial.service.registers == 1


def assigned_then_assigning(turn: Turn) -> None:
    """Send the final answer, and then an earlier one."""
    earlier = json.dumps({"operationId": OPERATION, "status": "assigning"}).encode()
    turn.line.send(turn.usual, turn.write(202, earlier))


@on_asyncio
@pytest.mark.sockets
@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["rest", "mqtt"])
async def test_the_first_final_state_counts(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J18: what comes after it changes nothing."""
    strike = Strike(over=assigned_then_assigning)
    trial = Trial(strike, transport=transport, phase="FINAL", times=1)
    trial.install(monkeypatch)
    await trial.run()

    assert trial.error is None
    assert trial.assignment is not None
    assert trial.retries == []


@pytest.mark.parametrize("transport", [aiodps.REST, aiodps.MQTT])
@pytest.mark.parametrize("text", ["latest", "2019-99-99"])
def test_an_api_version_is_a_date(transport: type[aiodps.REST | aiodps.MQTT], text: str) -> None:
    """C12: another text is refused before anything is sent."""
    with pytest.raises(aiodps.ConfigurationError, match="api-version"):
        transport(api_version=text)
