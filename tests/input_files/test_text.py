"""Text, JSON, TOML and passwords: every fault has its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.text import (
    MAX_DEPTH,
    decode,
    json_lines,
    parse_json,
    parse_toml,
    read_password,
)

FILE = Origin.file("f.json", what="payload file", kind="payload")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("ä".encode("cp1252"), r"is not UTF-8 in line 1, column 1 \(byte 0xe4\)"),
        ('{\n "a": "ö"}'.encode("latin-1"), "line 2, column 8"),
        ("{}".encode("utf-16"), "is encoded in UTF-16 "),
        ("{} ".encode("utf-16-le"), "is encoded in UTF-16LE"),
        ("{} ".encode("utf-16-be"), "is encoded in UTF-16BE"),
        ("{}".encode("utf-32"), "is encoded in UTF-32"),
        (b"PK\x03\x04\xff", "is a ZIP archive, not text"),
    ],
)
def test_other_encodings(data: bytes, says: str) -> None:
    """They are named, with the command that converts them."""
    with pytest.raises(ConfigurationError, match=rf"'f.json'.* {says}") as caught:
        decode(data, FILE)

    assert "UTF-8" in caught.value.hint


def test_byte_order_mark() -> None:
    """Windows puts one in front of UTF-8."""
    assert decode("\ufeffä".encode(), FILE) == "ä"
    assert parse_toml("\ufeffa = 1".encode(), FILE) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{'a': 1}", "is not JSON in line 1, column 2"),
        ('{\n"a": 1\n"b": 2}', "is not JSON in line 3, column 1"),
        ("", "is empty"),
        (" \n", "is empty"),
        ("[" * 100_000, "more than 64 levels"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "more than 64 levels"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "more than 64 levels"),
        ("9" * 5000, "is not usable JSON"),
    ],
)
def test_bad_json(text: str, says: str) -> None:
    """Line and column, if there are any; depth is bounded."""
    with pytest.raises(ConfigurationError, match=f"^the payload file 'f.json' .*{says}") as caught:
        parse_json(text, FILE)

    assert caught.value.hint


def test_good_json() -> None:
    """Up to the bound, and with the line of the file where a text begins."""
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH, FILE)
    assert parse_json("[[], " * 30 + "1" + "]" * 30, FILE)
    with pytest.raises(ConfigurationError, match="line 7, column 2"):
        parse_json("{1}", FILE, first_line=7)


@pytest.mark.parametrize("character", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r")
def test_only_a_line_feed_ends_a_line(character: str) -> None:
    """The others are characters of a JSON string, or blanks."""
    assert list(json_lines(f"a{character}b\n\n c\n")) == [(1, f"a{character}b"), (3, " c")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"= 1", r"is not TOML: .*line 1, column 1"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        ("a = 'ä'".encode("cp1252"), "is not UTF-8"),
        ("a = 1".encode("utf-16"), "UTF-16"),
    ],
)
def test_bad_toml(data: bytes, says: str) -> None:
    """Settings and faults are TOML."""
    with pytest.raises(ConfigurationError, match=says):
        parse_toml(data, FILE)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    """Whatever they are, they are parsed, or an error of ours."""
    with contextlib.suppress(ConfigurationError):
        parse_toml(data, FILE)

    with contextlib.suppress(ConfigurationError):
        parse_json(decode(data, FILE), FILE)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"abc", b"abc"),
        (b"abc\n", b"abc"),
        (b"abc\r\nmore\n", b"abc"),
        (b" p w \n", b" p w "),
        (b"\xef\xbb\xbfabc\r\n", b"abc"),
        (b"p\xe4ss", b"p\xe4ss"),
    ],
)
def test_a_password_is_the_first_line(tmp_path: Path, content: bytes, password: bytes) -> None:
    """Line ends and a byte order mark do not count, blanks do."""
    (tmp_path / "password").write_bytes(content)

    assert read_password(tmp_path / "password") == password


@pytest.mark.parametrize("content", [b"", b"\nabc", b"x" * 1024, "abc".encode("utf-16"), None])
def test_impossible_passwords_are_refused(tmp_path: Path, content: bytes | None) -> None:
    """An empty first line, one that is too long, UTF-16, or no file."""
    if content is not None:
        (tmp_path / "password").write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        read_password(tmp_path / "password")

    assert caught.value.setting == "password_file"
    assert "abc" not in str(caught.value)
