"""JSON of strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.service.json_bodies import MAX_DEPTH, read_object


def nested(depth: int) -> bytes:
    """Write lists within lists within an object."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth_is_bounded() -> None:
    """What is deeper cannot always be written again; what is wide is no matter."""
    assert read_object(nested(MAX_DEPTH))
    assert read_object(b'{"a":[' + b",".join([b"{}"] * 1000) + b"]}")
    for depth in (MAX_DEPTH + 1, 30_000):
        with pytest.raises(ValueError, match="deep"):
            read_object(nested(depth))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b"\xff", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1e999}']
)
def test_no_objects(body: bytes) -> None:
    """JSON knows neither NaN nor infinity."""
    with pytest.raises(ValueError):
        read_object(body)


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\uDFFF", rb"\udc00\ud800", rb"\ud800\\udc00"])
def test_half_a_character(escape: bytes) -> None:
    """Half of a surrogate pair is refused wherever it stands; a whole one is a character."""
    for body in (b'{"%s":1}', b'{"a":["%s"]}'):
        with pytest.raises(ValueError):
            read_object(body % escape)

    assert read_object(rb'{"a":"\uD83D\ude00"}') == {"a": "\U0001f600"}


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(lambda t: f'{{"a":{t}}}'.encode()))
def test_whatever_is_read_can_be_written(body: bytes) -> None:
    """It is refused in one way, or comes back the same."""
    try:
        document = read_object(body)
    except ValueError:
        return

    assert (
        json.loads(json.dumps(document, allow_nan=False, ensure_ascii=False).encode()) == document
    )
