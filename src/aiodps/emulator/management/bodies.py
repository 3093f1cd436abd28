"""Reading the JSON that administrators send."""

from __future__ import annotations

from typing import Any

from aiodps.emulator.service.refusals import ErrorCode, refusal


def read_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        BadRequestError: If it is anything else, or could not be written again.
    """
    try:
        return read_object(body)
    except ValueError as exc:
        raise refusal(
            ErrorCode.BAD_REQUEST, "The body is not a JSON object.", why=str(exc)[:200]
        ) from exc
