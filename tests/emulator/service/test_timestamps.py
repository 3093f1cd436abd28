"""Times as the service writes them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.service.timestamps import read_timestamp, timestamp


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00.0000000Z"),
        (1661622799.999999, "2022-08-27T17:53:19.9999990Z"),
        (4102444800.0, "2100-01-01T00:00:00.0000000Z"),
    ],
    ids=["zero", "nearly the next second", "far"],
)
def test_times_have_seven_digits(time: float, text: str) -> None:
    """Up to what a float can hold."""
    written = timestamp(time)

    assert written[:-3] == text[:-3]
    assert len(written) == len(text)


def test_times_sort_as_texts() -> None:
    """A later time is a later text."""
    chance = random.Random(3)  # noqa: S311 (no secrets here)
    times = sorted(chance.uniform(0, 4e9) for _ in range(200))

    assert [timestamp(each) for each in times] == sorted(timestamp(each) for each in times)


@given(st.floats(0, 4e9))
def test_what_was_written_is_read_again(time: float) -> None:
    """Nothing is lost by a store: the same text, time after time."""
    read = read_timestamp(timestamp(time))

    assert timestamp(read) == timestamp(time)
    assert abs(read - time) < 1e-6


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01", 1.0),
        ("1970-01-01T01:00:01.25+01:00", 1.25),
        ("1970-01-01", 0.0),
        ("1970-01-01T00:00:00.123456789Z", 0.1234567),
    ],
)
def test_times_as_others_write_them(text: str, time: float) -> None:
    """With a zone or without, with any number of digits."""
    assert read_timestamp(text) == time


@pytest.mark.parametrize(
    "text", ["", "now", "1970-13-01T00:00:00Z", "1969-12-31", "0001-01-01T00:00:00+23:00"]
)
def test_what_is_no_time(text: str) -> None:
    """Said as such."""
    with pytest.raises(ValueError):
        read_timestamp(text)
