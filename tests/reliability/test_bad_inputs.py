"""Bad inputs: each row of the table is held by a test that names it, here or where its code is.

S are server certificates, K a device's own keys and certificates, C values from the caller, H
answers over HTTP, J their JSON, M what arrives over MQTT.
"""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import pytest
from tests.reliability.faulty_service import OPERATION, Strike, Turn
from tests.reliability.trial import FAILURES, Trial
from tests.virtual_time import on_asyncio

import aiodps
from aiodps import errors

FOLDER = Path(__file__).parent
TESTS = FOLDER.parent
PAGE = TESTS.parent / "docs" / "reliability.md"
MATRIX = "reliability/test_fault_matrix.py"
WORDS = {"accepted", "ignored", "argued"}
"""What a bad input comes to that is no error."""


def rows() -> list[dict[str, str]]:
    """Read the table."""
    with FOLDER.joinpath("bad_inputs.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def cells() -> set[str]:
    """Name the cells of the fault matrix."""
    with FOLDER.joinpath("fault_matrix.tsv").open(encoding="utf-8", newline="") as stream:
        table = csv.DictReader(stream, delimiter="\t")
        return {f"{row['fault']}-{row['transport']}-{row['phase']}" for row in table}


def names(reference: str, row: str) -> bool:
    """Tell whether a test file names a row, or the fault matrix has the cell."""
    path, _, cell = reference.partition("::")
    if cell:
        return path == MATRIX and cell in cells()

    return re.search(rf"\b{row}\b", TESTS.joinpath(path).read_text("utf-8")) is not None


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_each_row_is_held(row: dict[str, str]) -> None:
    """By tests that exist and name it, and know its error."""
    held_by, outcomes = row["held_by"].split(), row["outcome"].split(" or ")
    if row["outcome"] == "argued":
        assert held_by == []
        return

    assert held_by
    assert [each for each in held_by if not names(each, row["id"])] == []
    text = "".join(TESTS.joinpath(each.partition("::")[0]).read_text("utf-8") for each in held_by)
    for outcome in set(outcomes) - WORDS:
        assert issubclass(
            getattr(errors, outcome, None) or getattr(aiodps, outcome), BaseException
        )
        assert outcome in text or MATRIX in row["held_by"]


def test_no_row_is_missing() -> None:
    """There are 188, each once; the page argues those that nothing holds, and no others."""
    ids = [row["id"] for row in rows()]
    listed = re.findall(r"^\| ([SKCHJM]\d\d) \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert len(ids) == len(set(ids)) == 188
    assert listed == [row["id"] for row in rows() if row["outcome"] == "argued"]


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
