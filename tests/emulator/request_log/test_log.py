"""Counting what came, without end but within bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.request_log.log import (
    MAX_ID_LENGTH,
    MAX_TEXT_LENGTH,
    Counts,
    Exchange,
    RequestLog,
)


def exchange(
    operation: Operation | None, registration_id: str | None = "d", status_code: int = 202
) -> Exchange:
    """Make a record."""
    return Exchange(
        transport="mqtt",
        what="",
        status_code=status_code,
        took=0.0,
        operation=operation,
        registration_id=registration_id,
    )


def test_what_is_counted() -> None:
    """Registers by id, operations, and answers by status."""
    counts = Counts()
    counts.record(exchange(Operation.REGISTER, "a"))
    counts.record(exchange(Operation.REGISTER, "a", 401))
    counts.record(exchange(Operation.REGISTER, "b"))
    counts.record(exchange(Operation.OPERATION_STATUS, "a", 200))
    counts.record(exchange(None, None, 404))
    counts.record(exchange(None, None, 0))

    assert counts.register_requests == {"a": 2, "b": 1}
    assert counts.operations == {Operation.REGISTER: 3, Operation.OPERATION_STATUS: 1}
    assert counts.responses == {202: 2, 401: 1, 200: 1, 404: 1}


def test_hostile_ids_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on how many are counted one by one, and on their length."""
    monkeypatch.setattr("aiodps.emulator.request_log.log.MAX_COUNTED_IDS", 2)
    counts = Counts()
    for name in ("a", "x" * (MAX_ID_LENGTH + 1), "b", "c", "a"):
        counts.record(exchange(Operation.REGISTER, name))

    assert counts.register_requests == {"a": 2, "b": 1}
    assert counts.operations[Operation.REGISTER] == 5


def test_counts_begin_anew() -> None:
    """With nothing."""
    counts = Counts()
    counts.record(exchange(Operation.REGISTER))
    counts.clear()

    assert counts == Counts()


def test_the_last_exchanges_are_kept() -> None:
    """The oldest are forgotten first, and numbers are never used twice."""
    made = RequestLog(size=2)
    for status in (1, 2, 3):
        made.record(exchange(None, status_code=status))

    assert [each.status_code for each in made] == [2, 3]
    assert [number for number, _ in made.after(2)] == [3]
    made.clear()
    made.record(exchange(None, status_code=4))
    assert [number for number, _ in made.after(0)] == [4]
    assert len(made) == 1


def test_long_texts_are_cut() -> None:
    """Whatever a client makes long: ten thousand of them are kept."""
    made = RequestLog()
    long = "x" * (MAX_TEXT_LENGTH + 1)
    made.record(replace(exchange(None, long), what=long, certificate=long, message=long))
    (kept,) = made

    texts = (kept.registration_id, kept.what, kept.certificate, kept.message)
    assert {len(text or "") for text in texts} == {MAX_TEXT_LENGTH}


def test_listeners_hear_everything_while_they_listen() -> None:
    """And nothing afterwards."""
    made = RequestLog()
    heard: list[Exchange] = []
    with made.listen(heard.append):
        made.record(exchange(None, status_code=1))

    made.record(exchange(None, status_code=2))

    assert [each.status_code for each in heard] == [1]
