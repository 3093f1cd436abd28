"""What others write cannot act on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.printable import printable

HOSTILE = {
    "escape": "\x1b[2J\x1b[1;1H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.test\x1b\\",
    "c1-csi": "\x9b31m",
    "c1-osc": "\x9d0;owned\x9c",
    "right-to-left": "\u202e",
    "isolate": "\u2066\u2069",
    "zero-width": "\u200b\u200d\ufeff",
    "line-ends": "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029",
    "backspace": "\x08\x7f\x00",
    "surrogate": "\ud83d",
    "tag": "\U000e0041",
}
"""Text that does more than print; other tests send it through every field."""


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_but_print_is_left(text: str) -> None:
    """Each character is replaced, so that what was there can still be seen."""
    shown = printable(f"a{text}b")

    assert shown.isprintable()
    assert len(shown) == len(text) + 2


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 設備 \u00e9\u0301 🙂", "a  b"])
def test_plain_text_stays(text: str) -> None:
    """In whatever script."""
    assert printable(text) == text


@given(st.text())
def test_any_text(text: str) -> None:
    """Once is enough."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
