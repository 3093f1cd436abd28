"""Reading the JSON that administrators send."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from aiodps.emulator.service.refusals import ErrorCode, refusal

DEEPEST = 64
"""Levels of a document; none that means something has more than a dozen."""


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        BadRequestError: If it is anything else, or so deep that writing it again could fail.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise refusal(ErrorCode.BAD_REQUEST, "The body is not JSON.") from exc

    if not isinstance(document, dict):
        raise refusal(ErrorCode.BAD_REQUEST, "The body is not a JSON object.")

    if _is_deeper(document, DEEPEST):
        raise refusal(ErrorCode.BAD_REQUEST, f"The body has more than {DEEPEST} levels.")

    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_deeper(document: object, levels: int) -> bool:
    match document:
        case dict():
            inner = list(document.values())
        case list():
            inner = document
        case _:
            return False

    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)
