"""What goes over the wire, made fit to be shown: secrets and custom payloads are masked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

MASK = "***"

_SECRET_MEMBER = re.compile(r"payload|key|token|secret|password|signature", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"authorization|cookie|token|key", re.IGNORECASE)
_LONGEST = 4096
"""Bytes of a body that are shown."""


def shown_body(body: bytes) -> str:
    """Return a body as text, with the values of secret members masked.

    The custom `payload` is masked too: in factories it carries Wi-Fi passwords and the like.
    """
    try:
        return json.dumps(_masked(json.loads(body)))[:_LONGEST]
    except (ValueError, RecursionError):
        return _shown_text(body)


def _shown_text(body: bytes) -> str:
    if not body.strip():
        return ""

    return f"({len(body)} bytes that are not JSON)"


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


def shown_headers(headers: Sequence[tuple[str, str]]) -> str:
    """Return headers as lines, with the values of secret ones masked."""
    return "\n".join(
        f"{name}: {MASK if _SECRET_HEADER.search(name) else value}" for name, value in headers
    )
