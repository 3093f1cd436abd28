"""Long answers in pages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.azure_api.paging import DEFAULT_SIZE, LARGEST_SIZE, page_of
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.messages import ManagementRequest

SIZE, CONTINUATION = "x-ms-max-item-count", "x-ms-continuation"


def page(
    names: object, *, item_type: str = "enrollment", headers: Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Ask for a page."""
    request = ManagementRequest(method="POST", path="/", query={}, headers=headers or {})
    return page_of(list(names), request, item_type=item_type)  # type: ignore[call-overload]


def test_one_page_is_enough() -> None:
    """No continuation: Microsoft's clients read on until there is none."""
    found, headers = page(["b", "a"])

    assert found == ["a", "b"]
    assert headers == {SIZE: str(DEFAULT_SIZE), "x-ms-item-type": "enrollment"}


@given(names=st.sets(st.text()), size=st.integers(1, 10))
def test_all_pages_together_are_all(names: set[str], size: int) -> None:
    """Each name once, in order, none longer than asked for; the tokens go into a header."""
    headers = {SIZE: str(size)}
    told: list[str] = []
    while True:
        found, answer = page(names, headers=headers)
        told += found
        assert len(found) <= size
        if CONTINUATION not in answer:
            break

        assert len(found) == size
        assert answer[CONTINUATION].isascii()
        headers = {SIZE: str(size), CONTINUATION: answer[CONTINUATION]}

    assert told == sorted(names)


def test_what_comes_and_goes_between_pages() -> None:
    """Nothing is told twice or left out that was there all the time."""
    found, answer = page("bdf", headers={SIZE: "2"})
    rest, _ = page("acefg", headers={CONTINUATION: answer[CONTINUATION]})

    assert found == ["b", "d"]
    assert rest == ["e", "f", "g"]


@pytest.mark.parametrize(
    ("asked", "given"), [("0", DEFAULT_SIZE), ("5", 5), ("100000", LARGEST_SIZE)]
)
def test_sizes(asked: str, given: int) -> None:
    """Nothing said is a default, too much is the most."""
    assert page("a", headers={SIZE: asked})[1][SIZE] == str(given)


@pytest.mark.parametrize(
    "headers",
    [
        {SIZE: "-1"},
        {SIZE: "many"},
        {SIZE: "1.5"},
        {SIZE: "٣"},
        {SIZE: "9" * 5000},
        {CONTINUATION: "a"},
        {CONTINUATION: "é"},
        {CONTINUATION: "/w=="},
        {CONTINUATION: "ZW5yb2xsbWVudEdyb3VwOmE="},
    ],
    ids=ascii,
)
def test_what_makes_no_sense(headers: dict[str, str]) -> None:
    """400: no number, no token of ours, the token of another query."""
    with pytest.raises(Refusal, match="is invalid"):
        page("a", headers=headers)
