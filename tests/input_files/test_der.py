"""DER is split into its elements, and nothing in it makes that fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiodps.input_files.der import elements, is_cut_off, is_der, sequence


@given(st.lists(st.binary(max_size=300).map(sequence), max_size=5))
def test_elements(parts: list[bytes]) -> None:
    """What is encoded is found again, at any length."""
    whole = sequence(*parts)
    (element,) = elements(whole)

    assert element.whole == whole
    assert [child.whole for child in element.children] == parts
    assert not is_cut_off(whole)


@given(st.binary(min_size=200, max_size=300), st.integers(1, 199))
def test_what_is_cut_off(content: bytes, missing: int) -> None:
    """It has no element, and is told from what is whole."""
    cut = sequence(content)[:-missing]

    assert elements(cut) == []
    assert is_cut_off(cut)


@given(st.binary(max_size=50))
def test_any_bytes(data: bytes) -> None:
    """They are split as far as they can be."""
    assert (
        b"".join(each.whole for each in elements(data))
        == data[: sum(len(each.whole) for each in elements(data))]
    )
    is_cut_off(data)


def test_a_text_that_begins_with_0() -> None:
    """0 is 0x30, the tag of a sequence."""
    assert not is_der(b"0ne00012ABC")
    assert not is_der(b"0")
    assert is_der(sequence(b"x"))
    assert is_der(b"\x30\x80")
