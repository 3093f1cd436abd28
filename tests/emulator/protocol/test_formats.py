"""The ids that the service makes up."""

from __future__ import annotations

import base64
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.instance import GUID

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.formats import (
    check_etag,
    enrollment_etag,
    etag,
    guid,
    is_registration_id,
    operation_id,
    read_timestamp,
    symmetric_key,
    timestamp,
    verification_code,
)


def rng() -> random.Random:
    """Return always the same chance."""
    return random.Random(11)  # noqa: S311 (no secrets here)


@pytest.mark.parametrize("name", ["a", "A-1", "-", "a.b_c:d-", "x" * 128])
def test_registration_ids(name: str) -> None:
    """Letters, digits and four signs, up to 128."""
    assert is_registration_id(name)


@pytest.mark.parametrize("name", ["", "a.", "a_", "a b", "a/b", "a\n", "é", "x" * 129])
def test_what_is_no_registration_id(name: str) -> None:
    """Anything else, and what ends in a sign other than a dash."""
    assert not is_registration_id(name)


def test_operation_ids_need_no_escape() -> None:
    """55 characters that may stand in a path and in a topic."""
    made = operation_id("device-1", rng=rng())

    assert re.fullmatch(rf"5\.[0-9a-f]{{16}}\.{GUID}", made)
    assert len(made) == 55


def test_etags_are_quoted_inside() -> None:
    """As the one in Microsoft's article, which ends in its time: 630a5a0f is 2022-08-27."""
    seen = base64.b64decode("IjEyMDA4NmYyLTAwMDAtMDMwMC0wMDAwLTYzMGE1YTBmMDAwMCI=")
    made = base64.b64decode(etag(rng=rng(), now=0x630A5A0F + 0.5))

    assert len(made) == len(seen)
    assert made[-13:] == seen[-13:]
    assert re.fullmatch(rf'"{GUID}"', made.decode())


def test_etags_of_enrollments() -> None:
    """The same, without base64."""
    inside = base64.b64decode(etag(rng=rng(), now=5.0)).decode()

    assert enrollment_etag(rng=rng(), now=5.0) == inside


def test_keys() -> None:
    """64 bytes, as the service makes them."""
    assert len(base64.b64decode(symmetric_key(rng=rng()))) == 64


def test_verification_codes() -> None:
    """48 upper-case hex digits fit into a CN."""
    assert re.fullmatch(r"[0-9A-F]{48}", verification_code(rng=rng()))


def test_chance_decides() -> None:
    """The same chance, the same ids; the next draw, another one."""
    one = rng()

    assert guid(rng()) == guid(one)
    assert guid(rng()) != guid(one)


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
    rng = random.Random(3)  # noqa: S311 (no secrets here)
    times = sorted(rng.uniform(0, 4e9) for _ in range(200))

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


@pytest.mark.parametrize(
    "if_match", [None, "*", "a", '"a"', ' "a" ', 'W/"a"', '"b", "a"', '"b",*'], ids=ascii
)
@pytest.mark.parametrize("etag", ["a", '"a"'])
def test_what_matches(etag: str, if_match: str | None) -> None:
    """Quotes do not count, on either side: Microsoft's clients send both forms."""
    check_etag(etag, if_match)


@pytest.mark.parametrize("if_match", ["b", "A", "", '""', "**", "a b"], ids=ascii)
def test_what_does_not(if_match: str) -> None:
    """Anything else is 412."""
    with pytest.raises(Refusal) as wrong:
        check_etag("a", if_match)

    assert wrong.value.status_code == 412
