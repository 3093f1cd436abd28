"""Masking of a device's custom payload where the service quotes it.

In factories a payload may contain a Wi-Fi password, and a webhook that refuses it may quote it in
its message. So what the device has sent is masked in everything that is shown of responses.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from aiodps.errors import ProvisioningError
from aiodps.models import JsonObject
from aiodps.printable import printable
from aiodps.protocol.masking import MASK

MIN_CHARACTERS: Final = 4
"""Fewest characters of a string that is masked; a shorter one occurs in any text by accident."""
MIN_DIGITS: Final = 6
"""Fewest digits of a number that is masked."""
_OURS: Final = frozenset({"hint", "operation_id", "registration_id", "transport"})
"""Attributes of an error that are shown as they are."""


class PayloadMask:
    """Masks the values of one payload, as they are or in the usual encodings."""

    def __init__(self, payload: JsonObject | None, *, public: Collection[str] = ()) -> None:
        """Prepare the mask; values are collected when it is first used.

        Args:
            payload: What the device sends; None for nothing.
            public: Values that are no secret, although they may be in the payload.
        """
        self._payload = payload
        self._public = public
        self._forms: list[str] | None = None if payload else []

    def __call__(self, text: str) -> str:
        """Return a text with the values masked."""
        if self._forms is None:
            public = {each.casefold() for each in self._public}
            values = {v for v in _values(self._payload) if v.casefold() not in public}
            forms = {form for value in values for form in _encodings(value)}
            self._forms = sorted(forms, key=len, reverse=True)

        for form in self._forms:
            text = text.replace(form, MASK)

        return _without_cut_value(text, self._forms)

    def apply_to(self, error: ProvisioningError) -> None:
        """Mask the values in every text of an error."""
        texts = {
            name: self(value)
            for name, value in vars(error).items()
            if type(value) is str and name not in _OURS
        }
        vars(error).update(texts)
        error.args = tuple(self(each) if type(each) is str else each for each in error.args)


def _values(value: object) -> Iterator[str]:
    """Iterate over the strings and numbers that are long enough to be masked."""
    match value:
        case Mapping():
            for member in value.values():
                yield from _values(member)
        case list() | tuple():
            for member in value:
                yield from _values(member)
        case str():
            for text in (value, value.strip()):
                if len(text) >= MIN_CHARACTERS:
                    yield text
        case int() | float() if len(digits := json.dumps(value)) >= MIN_DIGITS:
            yield digits
        case _:
            return


def _encodings(value: str) -> Iterator[str]:
    """Iterate over the ways in which a value may be written in a message or in JSON."""
    import html  # noqa: PLC0415 (loads two thousand entities)

    escaped = json.dumps(value)[1:-1]
    yield from (value, printable(value), printable(" ".join(value.split())))
    yield from (escaped, json.dumps(escaped)[1:-1], ascii(value)[1:-1])
    yield from (json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value))
    yield from (quote(value, safe="", errors="replace"), quote(value, errors="replace"))


def _without_cut_value(text: str, forms: Iterable[str]) -> str:
    """Mask the beginning of a value at the end of a text, which may have been cut there."""
    for form in forms:
        for size in range(min(len(form), len(text)) - 1, MIN_CHARACTERS - 1, -1):
            if text.endswith(form[:size]):
                return text[:-size] + MASK

    return text
