"""The fault matrix: each fault in each phase on each transport, over real sockets.

A cell says by which rule the client answers a fault, and what it ends with if the fault lasts.
Where ours differs on purpose, `argued.tsv` says how, and docs/reliability.md why.
"""

from __future__ import annotations

import asyncio
import csv
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.reliability.faulty_service import CONNECTING, Strike
from tests.reliability.strikes import strikes
from tests.reliability.trial import FAILURES, Trial
from tests.virtual_time import on_asyncio

from aiodps import errors
from aiodps.models import Phase
from aiodps.network import dial, resolve
from aiodps.registration import machine
from aiodps.transports import mqtt, rest
from aiodps.transports.base import SessionName
from aiodps.transports.http_connection import HttpConnection
from aiodps.transports.mqtt_session import MqttSession

pytestmark = [pytest.mark.sockets, pytest.mark.anyio]
FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reliability.md"
PASSES = {"again", "once more", "register again", "register once", "poll again", "wait"}
"""Rules by which a fault that strikes once leaves the device assigned, and one that lasts does not."""
HARMLESS = {"ignored", "stands", "no effect"}
_SIGNALS = "reliability/test_signals_by_phase.py::test_a_signal_in_each_phase"
OWN_TESTS = {
    "drained": _SIGNALS,
    "resumed": _SIGNALS,
    "kept": "assignments/test_cache.py::test_a_full_disk",
}
"""Rules with a test of their own. Signals are for whole processes, in the session `processes`;
scale/test_kills.py kills at twenty more moments."""
HINTS = {("F04", "TLS"): "client certificate"} | {
    ("F34", phase): "a second client" for phase in ("SEND", "ANSWER", "POLL", "FINAL")
}
"""What the hint speaks of where the fault has a usual cause."""
QUICK_OVER_WEBSOCKET = {"SEND", "ANSWER"}
"""Phases whose cells of mqtt are always tried over WebSocket as well. Before, there is only the
dialler, which is the same; later, an answer is an answer, as the session `network` shows."""
PHASES = {
    "DNS": Phase.DNS,
    "TCP": Phase.TCP,
    "TLS": Phase.TLS,
    "SEND": Phase.REGISTER,
    "ANSWER": Phase.REGISTER,
    "POLL": Phase.POLL,
    "FINAL": Phase.POLL,
}


@dataclass(frozen=True)
class Cell:
    """A fault in a phase on a transport, and what the client makes of it."""

    fault: str
    transport: str
    phase: str
    rule: str
    error: str
    session: SessionName | None = None
    """What speaks MQTT, if it is not the default."""

    def __str__(self) -> str:
        """Name the cell."""
        return "-".join(filter(None, (self.fault, self.transport, self.phase, self.session)))


def table(name: str) -> list[dict[str, str]]:
    """Read a table beside this file."""
    with FOLDER.joinpath(name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


CELLS = [Cell(**row, session=None) for row in table("fault_matrix.tsv")]
ARGUED = {
    (f"{row['fault']}-{row['transport']}-{row['phase']}", row["strike"]): row
    for row in table("argued.tsv")
}


def ours(cell: Cell, strike: Strike) -> Cell:
    """Return the cell as this client has it."""
    name = str(replace(cell, transport=cell.transport.removesuffix("-ws"), session=None))
    row = ARGUED.get((name, strike.name)) or ARGUED.get((name, ""))
    if row is not None:
        return replace(cell, rule=row["rule"], error=row["error"])

    if cell.rule != "ignored or final":
        return cell

    return replace(cell, rule="ignored" if strike.name == "rid" else "final")


def params(*rules: str) -> list[Any]:
    """List the cells of these rules, with each way in which their faults strike."""
    return [
        pytest.param(
            *(cell, strike),
            id="-".join(filter(None, (str(cell), strike.name))),
            marks=[pytest.mark.network] if is_for_network(cell) else [],
        )
        for cell, strike in EACH
        if cell.rule in rules
    ]


def is_for_network(cell: Cell) -> bool:
    """Tell whether a cell is left to the session `network`."""
    return cell.transport == "mqtt-ws" and cell.phase not in QUICK_OVER_WEBSOCKET


def each_strike() -> Iterator[tuple[Cell, Strike]]:
    """List the cells as this client has them, with each way in which their faults strike."""
    turns: Counter[tuple[str, str]] = Counter()
    for cell in CELLS:
        if cell.rule in {*OWN_TESTS, "memory error"}:
            continue

        key = cell.fault, cell.transport
        for strike in strikes(*key, cell.phase, turn=turns[key]):
            yield ours(cell, strike), strike

        if cell.transport == "mqtt" and cell.phase not in CONNECTING:
            first, *_ = each = strikes(*key, cell.phase, turn=turns[key])
            yield ours(replace(cell, transport="mqtt-ws"), first), first
            for strike in each:
                yield ours(replace(cell, session="native"), strike), strike

        turns[key] += 1


EACH = list(each_strike())


async def tried(
    cell: Cell, strike: Strike, times: float, monkeypatch: pytest.MonkeyPatch
) -> Trial:
    """Run a cell; check what holds in every one."""
    trial = Trial(
        strike, transport=cell.transport, phase=cell.phase, times=times, session=cell.session
    )
    trial.install(monkeypatch)
    await trial.run()

    forgotten = cell.rule == "register once"
    assert len(trial.service.ids) <= 1
    assert trial.service.registers <= 1 + trial.service.lost + forgotten
    return trial


@on_asyncio
@pytest.mark.parametrize(("cell", "strike"), params(*PASSES, *HARMLESS))
async def test_a_fault_that_strikes_once(
    cell: Cell, strike: Strike, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device is assigned, after one retry at the most; what was asked to be waited is."""
    trial = await tried(cell, strike, 1, monkeypatch)

    assert trial.error is None
    assert trial.assignment is not None
    assert len(trial.retries) <= 1 + (strike.level is not None)
    assert trial.service.left == 0 or cell.phase == "CLEAN"
    if cell.rule == "wait":
        assert [step.requested for step in trial.retries] == [7.0]
        assert all(step.wait is not None and step.wait >= 7.0 for step in trial.retries)


def attempts(cell: Cell, strike: Strike) -> int:
    """Tell after how many attempts a fault that lasts ends the registration."""
    lost_before = strike.level is not None and cell.phase not in CONNECTING
    match cell.rule:
        case "final":
            return 1 + lost_before
        case "once more" | "register once":
            return 2
        case _:
            return FAILURES


@on_asyncio
@pytest.mark.parametrize(("cell", "strike"), params(*PASSES, "final"))
async def test_a_fault_that_lasts(
    cell: Cell, strike: Strike, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registration ends with its error, in its phase, after so many attempts."""
    trial = await tried(cell, strike, math.inf, monkeypatch)

    error = trial.error
    assert isinstance(error, errors.ProvisioningError)
    assert isinstance(error, getattr(errors, cell.error))
    assert error.attempts == attempts(cell, strike)
    assert error.hint
    assert HINTS.get((cell.fault, cell.phase), "") in error.hint
    session = cell.transport != "rest" and cell.phase == "SEND" and strike.level is None
    assert error.phase is (Phase.SESSION if session else PHASES[strike.level or cell.phase])
    if isinstance(error, errors.ServerIdentityError):
        assert trial.service.lines[-1].received == b""


@on_asyncio
@pytest.mark.parametrize(("cell", "strike"), params("cancelled"))
async def test_cancelled(cell: Cell, strike: Strike, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancellation leaves as it is."""
    trial = await tried(cell, strike, 1, monkeypatch)

    assert isinstance(trial.error, asyncio.CancelledError)


@on_asyncio
@pytest.mark.parametrize(("cell", "strike"), params("deadline"))
async def test_out_of_time(cell: Cell, strike: Strike, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registration ends with its deadline, and says where it was."""
    trial = await tried(cell, strike, 1, monkeypatch)

    assert isinstance(trial.error, errors.ProvisioningTimeoutError)


OUT_OF_MEMORY: dict[tuple[str, str], tuple[object, str, int]] = {
    ("native", "SEND"): (MqttSession, "open", 1),
    ("rest", "SEND"): (HttpConnection, "_encode", 1),
    ("mqtt", "SEND"): (MqttSession, "open", 1),
    **{
        (transport, phase): place
        for transport in ("rest", "mqtt")
        for phase, place in {
            "DNS": (resolve, "_addresses", 1),
            "TCP": (dial, "_connect_one", 1),
            "TLS": (dial, "_wrap", 1),
            "ANSWER": (machine, "interpret_response", 1),
            "POLL": (machine, "interpret_response", 2),
            "FINAL": (machine, "interpret_response", 3),
        }.items()
    },
    ("rest", "CLEAN"): (rest.RestTransport, "close", 2),
    ("mqtt", "CLEAN"): (mqtt.MqttTransport, "close", 1),
}
"""A function that every registration comes by in a phase, and which call of it fails."""
MEMORY_ERRORS = [cell for cell in CELLS if cell.rule == "memory error"]
MEMORY_ERRORS += [
    replace(cell, session="native")
    for cell in MEMORY_ERRORS
    if (cell.transport, cell.phase) == ("mqtt", "SEND")
]


@on_asyncio
@pytest.mark.parametrize("cell", MEMORY_ERRORS, ids=str)
async def test_out_of_memory(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as what it is, and nothing is left."""
    trial = Trial(Strike(), transport=cell.transport, phase="never", times=0, session=cell.session)
    trial.install(monkeypatch)
    owner, name, fails = OUT_OF_MEMORY[cell.session or cell.transport, cell.phase]
    real, calls = getattr(owner, name), Counter[str]()

    def called(*words: Any, **more: Any) -> Any:
        calls[name] += 1
        if calls[name] != fails:
            return real(*words, **more)

        if name == "close":
            real(*words)

        raise MemoryError

    monkeypatch.setattr(owner, name, called)
    await trial.run()

    assert isinstance(trial.error, MemoryError)


def test_every_cell_is_run() -> None:
    """Each has a test that its rule chooses, here or one of its own."""
    here = {*PASSES, *HARMLESS, "final", "cancelled", "deadline"}
    run = {str(cell) for cell, _ in EACH if cell.rule in here}
    run |= {str(cell) for cell in CELLS if cell.rule in {*OWN_TESTS, "memory error"}}
    for test in OWN_TESTS.values():
        path, _, name = test.partition("::")
        assert f"def {name}(" in FOLDER.parent.joinpath(path).read_text("utf-8")

    assert len(CELLS) == len({str(cell) for cell in CELLS}) == 385
    assert {str(cell) for cell in CELLS} <= run


def test_what_is_argued_is_written_down() -> None:
    """The table on the page has what differs from the matrix, and nothing else."""
    rows = re.findall(
        r"^\| (F\d\d) \| (\w+) \| (\w+) \| ([\w-]*) ?\|", PAGE.read_text("utf-8"), re.MULTILINE
    )
    listed = {(f"{fault}-{transport}-{phase}", strike) for fault, transport, phase, strike in rows}
    matrix = {str(cell): (cell.rule, cell.error) for cell in CELLS}

    assert listed == set(ARGUED)
    assert all(matrix[cell] != (row["rule"], row["error"]) for (cell, _), row in ARGUED.items())
