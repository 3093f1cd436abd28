"""Reading the JSON that administrators send."""

from __future__ import annotations

import json

import pytest

from aiodps.emulator.management.bodies import read_body
from aiodps.emulator.service.json_bodies import MAX_DEPTH
from aiodps.errors import BadRequestError


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
    with pytest.raises(BadRequestError):
        read_body(body)
