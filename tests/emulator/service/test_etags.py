"""Etags and `If-Match`."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.etags import check_etag
from aiodps.errors import ConflictError


@pytest.mark.parametrize(
    "if_match", [None, "*", "a", '"a"', ' "a" ', 'W/"a"', '"b", "a"', '"b",*'], ids=ascii
)
@pytest.mark.parametrize("etag", ["a", '"a"'])
def test_what_matches(etag: str, if_match: str | None) -> None:
    """Quotes do not count, on either side: Microsoft's clients send both forms."""
    check_etag(etag, if_match)


@pytest.mark.parametrize("if_match", ["b", "A", "", '""', "**", "a b"], ids=ascii)
def test_what_does_not(if_match: str) -> None:
    """Anything else is 412."""
    with pytest.raises(ConflictError) as wrong:
        check_etag("a", if_match)

    assert wrong.value.status_code == 412
