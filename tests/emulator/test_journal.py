"""Counting what came, without end but within bounds."""

from __future__ import annotations

import pytest

from aiodps.emulator import journal
from aiodps.emulator.journal import LONGEST_COUNTED_ID, Counts, Exchange
from aiodps.emulator.wire import Operation


def exchange(
    operation: Operation | None, registration_id: str | None = "d", status_code: int = 202
) -> Exchange:
    """Make a record."""
    return Exchange(
        front="mqtt",
        what="",
        status_code=status_code,
        took=0.0,
        operation=operation,
        registration_id=registration_id,
    )


def test_what_is_counted() -> None:
    """Registers by id, operations, and answers by status."""
    counts = Counts()
    counts.note(exchange(Operation.REGISTER, "a"))
    counts.note(exchange(Operation.REGISTER, "a", 401))
    counts.note(exchange(Operation.REGISTER, "b"))
    counts.note(exchange(Operation.OPERATION_STATUS, "a", 200))
    counts.note(exchange(None, None, 404))

    assert counts.registers == {"a": 2, "b": 1}
    assert counts.operations == {Operation.REGISTER: 3, Operation.OPERATION_STATUS: 1}
    assert counts.answers == {202: 2, 401: 1, 200: 1, 404: 1}


def test_hostile_ids_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on how many are counted one by one, and on their length."""
    monkeypatch.setattr(journal, "MAX_COUNTED_IDS", 2)
    counts = Counts()
    for name in ("a", "x" * (LONGEST_COUNTED_ID + 1), "b", "c", "a"):
        counts.note(exchange(Operation.REGISTER, name))

    assert counts.registers == {"a": 2, "b": 1}
    assert counts.operations[Operation.REGISTER] == 5
