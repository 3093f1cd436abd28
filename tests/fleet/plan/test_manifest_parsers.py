"""Lists as spreadsheets and other programs write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import root

from aiodps.fleet.plan.manifest_parsers import PARSERS, UnknownColumnsError

KNOWN = ("registration_id", "certificate", "payload")


def parse(text: str, *, form: str = ".csv", ignore: bool = False) -> list[tuple[int, object]]:
    """Parse a list."""
    return list(PARSERS[form](text, None if ignore else KNOWN))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separators(separator: str, line_end: str) -> None:
    """A semicolon in most of Europe, a tab in what is copied from a sheet."""
    lines = ["registration_id,certificate", "a,b c", " d , e ", ",", "", "f,"]
    text = line_end.join(lines).replace(",", separator)

    assert parse(text) == [
        (2, {"registration_id": "a", "certificate": "b c"}),
        (3, {"registration_id": "d", "certificate": "e"}),
        (6, {"registration_id": "f", "certificate": ""}),
    ]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_a_separator_that_is_named(first: str) -> None:
    """Excel takes and writes such a first line."""
    assert parse(f"{first}\nregistration_id\na") == [(3, {"registration_id": "a"})]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("name;cert", "its header is: 'name', 'cert'"),
        ("registrationId,cert", "is 'registrationId' meant"),
        ("Registration_ID", "is 'Registration_ID' meant"),
        ("Registration ID\tcert", "is 'Registration ID' meant"),
        (root().private_key_pem.decode().replace("\n", " "), "not shown"),
    ],
)
def test_headers_without_ids(header: str, says: str) -> None:
    """The columns that were found are shown, and the one that was probably meant."""
    with pytest.raises(UnknownColumnsError, match=says):
        parse(f"{header}\nx\n", ignore=True)


def test_an_empty_file() -> None:
    """It has no header at all."""
    with pytest.raises(UnknownColumnsError, match="it is empty"):
        parse("\n\n")


def test_columns_without_a_name() -> None:
    """Spreadsheets leave them behind; they may be empty or not."""
    assert parse("registration_id,,\na,,\nb,x,") == [
        (2, {"registration_id": "a"}),
        (3, {"registration_id": "b"}),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("registration_id,payload\na", "it has 1 cells, and the header has 2"),
        ("registration_id,payload\na,{},x", "it has 3 cells"),
        ("registration_id,payload\na,{", "the payload is not JSON at character 1"),
        (f"registration_id;payload\na;{'[' * 3000}{']' * 3000}", "the payload is not usable"),
    ],
)
def test_bad_rows(text: str, error: str) -> None:
    """A row that cannot be parsed is an error of its own, and the others are parsed."""
    rows = parse(f"{text}\nb{text.partition('registration_id')[2][:1].replace(chr(10), '')}\n")

    assert str(rows[0][1]).startswith(error)
    assert rows[1][0] == 3


@pytest.mark.parametrize("separator", "\u2028\u2029\x85\x0b\x0c\x1c\x1e")
def test_separators_inside_of_json(separator: str) -> None:
    """They are characters of JSON, and end no line."""
    text = f'{{"registration_id": "a", "payload": {{"x": "1{separator}2"}}}}\r\n'
    if separator.isprintable() or separator in "\u2028\u2029\x85":
        assert parse(text, form=".jsonl") == [
            (1, {"registration_id": "a", "payload": {"x": f"1{separator}2"}})
        ]
    else:
        assert len(parse(text, form=".jsonl")) == 1


def test_two_columns_of_one_name() -> None:
    """One of them would win in silence."""
    with pytest.raises(ValueError, match="two columns 'certificate'"):
        parse("registration_id,certificate,certificate\n")


def test_deep_json_lines() -> None:
    """Depth is bounded."""
    assert "more than 64 levels" in str(
        parse('{"a":' * 5000 + "1" + "}" * 5000, form=".jsonl")[0][1]
    )


@pytest.mark.parametrize("form", PARSERS)
@given(
    text=st.text(max_size=80) | st.text(max_size=60).map(lambda text: f"registration_id\n{text}")
)
def test_any_text(form: str, text: str) -> None:
    """Whatever it is, it is parsed, or a `ValueError`."""
    with contextlib.suppress(ValueError):
        parse(text, form=form)
