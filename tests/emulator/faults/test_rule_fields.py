"""What each member of a rule may be."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import fields

import pytest

from aiodps.emulator.connections.delivery import Delivery, Drip
from aiodps.emulator.faults.effects import Effect, Range
from aiodps.emulator.faults.rule_fields import RULE_FIELDS, WrongValueError


def test_each_member_is_one_of_an_effect() -> None:
    """Or of its delivery. None is forgotten, none is for nothing."""
    made_of_others = {"delivery", "ending", "sent", "acknowledged", "headers", "noise"}
    names = {field.name for kind in (Effect, Delivery) for field in fields(kind)}
    assert set(RULE_FIELDS) == names - made_of_others


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("delay", 1, Range(1.0, 1.0)),
        ("delay", [0.5, 2], Range(0.5, 2.0)),
        ("assigning", True, Range(math.inf, math.inf)),
        ("assigning", 3, Range(3.0, 3.0)),
        ("retry_after", 5, "5"),
        ("retry_after", False, ""),
        ("retry_after", "1.5", "1.5"),
        ("drip", {"bytes": 1, "every": 0.5}, Drip(size=1, every=0.5)),
        ("extra_topics", ["a", "b"], ("a", "b")),
        ("members", {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_what_is_read(name: str, value: object, read: object) -> None:
    """Into what the rest of the emulator works with."""
    assert RULE_FIELDS[name].read(value) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delay", -1),
        ("delay", [2, 1]),
        ("delay", [1, 2, 3]),
        ("delay", "1"),
        ("delay", True),
        ("delay", math.nan),
        ("delay", 1e9),
        ("assigning", False),
        ("status", 200),
        ("status", 600),
        ("status", 429.0),
        ("status", True),
        ("drop", "later"),
        ("how", "CLOSE"),
        ("failed", False),
        ("acts", 1),
        ("retry_after", -1),
        ("retry_after", True),
        ("retry_after", "\r\nX: y"),
        ("retry_after", " "),
        ("message", ""),
        ("message", "two\nlines"),
        ("redirect", "https://a b/"),
        ("redirect", "https://ä/"),
        ("drip", {"bytes": 0, "every": 1}),
        ("drip", {"bytes": 1}),
        ("drip", {"bytes": 1, "every": "1"}),
        ("extra_topics", []),
        ("extra_topics", "a"),
        ("members", {}),
        ("members", {"a": dt.date(2026, 1, 1)}),
        ("members", {"a": math.inf}),
        ("oversize", 1 << 40),
        ("alert", 256),
    ],
)
def test_what_is_refused(name: str, value: object) -> None:
    """And it is said what there could be."""
    with pytest.raises(WrongValueError, match=r"\w"):
        RULE_FIELDS[name].read(value)
