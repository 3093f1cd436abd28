"""JSON objects that strangers send: what can be read can also be written again."""

from __future__ import annotations

import json
import math
from typing import Any, Final

MAX_DEPTH: Final = 64
"""Objects and lists in one another, as .NET's JSON libraries allow."""


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: If it is none, too deep, or has numbers that JSON does not have.
    """
    try:
        document = _DECODER.decode(body.decode())
    except RecursionError as exc:
        raise ValueError("too deep") from exc

    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 (the text is wrong, not its type)

    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(document, MAX_DEPTH):
        raise ValueError("too deep")

    return document


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")

    return number


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _is_deep(value: object, left: int) -> bool:
    match value:
        case dict():
            children = list(value.values())
        case list():
            children = value
        case _:
            return False

    return left == 0 or any(_is_deep(child, left - 1) for child in children)
