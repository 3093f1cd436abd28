"""Pages of long lists: their size, and the token of the next page.

Source: Microsoft's REST reference of the DPS service API, the headers of its queries. The
service's default size is not known.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable
from typing import Final

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.messages import ManagementRequest

DEFAULT_SIZE: Final = 100
LARGEST_SIZE: Final = 1000
_SIZE = "x-ms-max-item-count"
_CONTINUATION = "x-ms-continuation"
_MAX_DIGITS = 9


def page_of(
    names: Iterable[str], request: ManagementRequest, *, item_type: str
) -> tuple[list[str], dict[str, str]]:
    """Select the requested page, in the order of the names.

    A page begins after the last name of the previous one, so no item is repeated or left out
    because others were added or deleted meanwhile.

    Args:
        names: Of all items, each once.
        request: With the headers for size and continuation.
        item_type: Type of the items on the wire.

    Returns:
        The names of the page, and the headers of the response.

    Raises:
        Refusal: 400, if the size or the continuation token is invalid.
    """
    size = _read_size(request.headers.get(_SIZE))
    after = _read_token(request.headers.get(_CONTINUATION), item_type)
    found = heapq.nsmallest(size + 1, (name for name in names if after is None or name > after))
    headers = {_SIZE: str(size), "x-ms-item-type": item_type}
    if len(found) > size:
        found.pop()
        headers[_CONTINUATION] = _token(item_type, found[-1])

    return found, headers


def _read_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_SIZE

    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise _fault(_SIZE)

    return min(int(text), LARGEST_SIZE) or DEFAULT_SIZE


def _token(item_type: str, name: str) -> str:
    return base64.urlsafe_b64encode(f"{item_type}:{name}".encode()).decode()


def _read_token(text: str | None, item_type: str) -> str | None:
    if not text:
        return None

    try:
        kind, _, name = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
    except ValueError as exc:
        raise _fault(_CONTINUATION) from exc

    if kind != item_type:
        raise _fault(_CONTINUATION)

    return name


def _fault(header: str) -> Refusal:
    return Refusal(ErrorCode.INVALID_REQUEST, f"The header {header} is invalid.")
