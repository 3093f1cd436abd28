"""Strict reading of JSON from untrusted clients: what is accepted can be written again."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from aiodps.emulator.protocol.errors import ErrorCode, Refusal

MAX_DEPTH: Final = 64
"""Nested objects and lists, as .NET's JSON libraries allow."""


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: If it is not JSON, is nested too deeply, or holds a number or character that
            JSON cannot write.
    """
    document = read_value(body.decode())
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 (the text is wrong, not its type)

    return document


def read_value(text: str) -> Any:
    """Read JSON of any type.

    Raises:
        ValueError: If it is not JSON, is nested too deeply, or holds a number or character that
            JSON cannot write.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError as exc:
        raise ValueError("too deep") from exc

    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deep(value, MAX_DEPTH):
        raise ValueError("too deep")

    if _SURROGATE.search(text):
        # A lone surrogate is not a character; neither HTML nor a database can hold it.
        json.dumps(value, ensure_ascii=False).encode()

    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")

    return number


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
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


def read_body(body: bytes) -> dict[str, Any]:
    """Read a request body as a JSON object.

    Raises:
        Refusal: 400, if it is not one.
    """
    try:
        return read_object(body)
    except ValueError as exc:
        raise Refusal(
            ErrorCode.BAD_REQUEST, "The body is not a JSON object.", why=str(exc)[:200]
        ) from exc
