"""Times as the service writes them."""

from __future__ import annotations

import random

import pytest

from aiodps.emulator.service.timestamps import timestamp


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
