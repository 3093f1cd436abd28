"""JSON of strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.json_input import MAX_DEPTH, read_body, read_object


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


def nested_objects(levels: int) -> dict[str, object]:
    """Return an object with so many objects in each other."""
    document: dict[str, object] = {}
    for _ in range(levels - 1):
        document = {"a": [document]} if levels % 2 else {"a": document}

    return document


def test_objects_are_read() -> None:
    """Whatever is in them."""
    document = {"a": [1, {"é": None}], "b": nested_objects(MAX_DEPTH - 2)}

    assert read_body(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"a": ' + b"9" * 5000 + b"}",
        json.dumps(nested_objects(MAX_DEPTH + 2)).encode(),
    ],
    ids=lambda body: body[:20],
)
def test_everything_else_is_refused(body: bytes) -> None:
    """As 400: no JSON, no object, or too deep to be written again."""
    with pytest.raises(Refusal):
        read_body(body)
