"""Wire data for display, with secrets and custom payloads masked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from aiodps.printable import printable

MASK = "***"

_SECRET_MEMBER = re.compile(r"payload|key|token|secret|password|signature", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"authorization|cookie|token|key", re.IGNORECASE)
_MAX_CHARACTERS = 4096
"""Characters of a body that are shown."""


def masked_body(body: bytes) -> str:
    """Return a body as text, with the values of secret members masked.

    The custom `payload` is masked as well: in factories it may contain Wi-Fi passwords.
    """
    try:
        return json.dumps(_masked(json.loads(body)))[:_MAX_CHARACTERS]
    except (ValueError, RecursionError):
        return f"({len(body)} bytes that are not JSON)" if body.strip() else ""


def _masked(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: MASK if member and _SECRET_MEMBER.search(name) else _masked(member)
                for name, member in value.items()
            }
        case list():
            return [_masked(member) for member in value]
        case _:
            return value


def masked_headers(headers: Sequence[tuple[str, str]]) -> str:
    """Return headers as printable lines, with the values of secret headers masked."""
    return "\n".join(
        printable(f"{name}: {MASK if _SECRET_HEADER.search(name) else value}")
        for name, value in headers
    )
