"""A strict JSON parser for data from the network.

The standard library accepts NaN, duplicate members, lone surrogates and numbers of any length, and
guesses encodings; each of these is a sign of damage or of an attack, and rejected with a reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from aiodps.errors import MalformedResponseError
from aiodps.models import Json
from aiodps.protocol.limits import MAX_JSON_DEPTH


def read_object(body: bytes) -> dict[str, Json]:
    """Parse a JSON object.

    Raises:
        MalformedResponseError: If it is not valid; `reason` says why.
    """
    if not body.strip():
        raise malformed("empty", "the response is empty")

    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise malformed("utf8", f"the response is not UTF-8 (byte {exc.start})") from exc

    document = _loads(text)
    if not isinstance(document, dict):
        raise malformed("not_object", "the response is JSON, but not an object")

    # Most are too short to be too deep: there are no more levels than brackets.
    if text.count("{") + text.count("[") > MAX_JSON_DEPTH and _depth(document) > MAX_JSON_DEPTH:
        raise malformed("depth", f"the response is nested more than {MAX_JSON_DEPTH} levels deep")

    _check_encodable(document, text)
    return document


def _loads(text: str) -> Any:
    if text.startswith("\ufeff") or "\0" in text:
        raise malformed("utf8", "the response is not plain UTF-8")

    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise malformed("json", f"the response is not JSON (at character {exc.pos})") from exc
    except RecursionError as exc:
        raise malformed(
            "depth", f"the response is nested more than {MAX_JSON_DEPTH} levels deep"
        ) from exc


def _unique_members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("duplicate_key", "the response has a duplicate member")

    return members


def _refuse_number(_: str) -> NoReturn:
    raise malformed("number", "the response has a number that is not valid JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse_number(digits)


def _bounded_int(digits: str) -> int:
    return int(digits) if len(digits) <= 40 else _refuse_number(digits)  # noqa: PLR2004 (128 bits)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_refuse_number,
    parse_float=_finite,
    parse_int=_bounded_int,
)


def _depth(document: Json) -> int:
    """Return the nesting depth, without recursion."""
    level: list[Json] = [document]
    depth = 0
    while level := [member for value in level for member in _members(value)]:
        depth += 1

    return depth


def _members(value: Json) -> Sequence[Json]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return ()


def _check_encodable(document: dict[str, Json], text: str) -> None:
    if "\\u" not in text:
        return

    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise malformed("surrogate", "the response has a lone surrogate") from exc


def malformed(reason: str, message: str) -> MalformedResponseError:
    """Return the error for a response that cannot be parsed."""
    return MalformedResponseError(message, reason=reason)
