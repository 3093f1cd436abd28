"""What can be done to a resource, by method of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from aiodps.emulator.service.errors import ErrorCode, refusal

_Method = TypeVar("_Method")


def choose(calls: Mapping[str, _Method], method: str) -> _Method:
    """Return what a method does.

    Args:
        calls: By method; empty if there is no such resource.
        method: In upper case.

    Raises:
        NotFoundError: If there is no such resource.
        BadRequestError: With 405, if the method is none of these.
    """
    if not calls:
        raise refusal(ErrorCode.NOT_FOUND, "No such resource.")

    if method not in calls:
        raise refusal(ErrorCode.NOT_ALLOWED, "The resource does not take this method.")

    return calls[method]
