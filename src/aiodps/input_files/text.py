"""Text, JSON, TOML and passwords that a person gave; errors name line and column."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final

from aiodps.input_files.formats import advice, in_bytes, recognize
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read

MAX_DEPTH: Final = 64
"""Levels to which JSON may be nested; the service takes less."""
MAX_PASSWORD: Final = 1023
"""Maximum length of a password in bytes; OpenSSL's limit for private keys."""

_CONVERT: Final = (
    "save it as UTF-8 (in a spreadsheet: CSV UTF-8), or convert it:"
    " iconv -f ENCODING -t UTF-8 {file} > {copy}"
)
_BOM = b"\xef\xbb\xbf"


def decode(data: bytes, origin: Origin) -> str:
    """Return UTF-8 as text, without its byte order mark.

    Raises:
        ProvisioningError: Of the origin's kind, if it is not UTF-8. Reasons: "utf16", "utf8".
    """
    data = without_bom(data, origin)
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        line, column = _place(data[: exc.start].decode(errors="replace"))
        found = recognize(data)
        held = f"is {found.name}, not text" if found else f"is not UTF-8 in line {line}, column"
        raise origin.error(
            held if found else f"{held} {column} (byte 0x{data[exc.start]:02x})",
            reason="utf8",
            hint=advice(_CONVERT.replace("ENCODING", "WINDOWS-1252"), origin),
        ) from None


def without_bom(data: bytes, origin: Origin) -> bytes:
    """Return UTF-8 without its byte order mark; UTF-16 is an error with reason "utf16"."""
    encoding = in_bytes(data)
    if encoding is not None:
        raise origin.error(
            f"is encoded in {encoding}",
            reason="utf16",
            hint=advice(_CONVERT.replace("ENCODING", encoding), origin),
        )

    return data.removeprefix(_BOM)


def parse_json(text: str, origin: Origin, *, first_line: int = 1) -> Any:
    """Parse JSON; `first_line` is the line of a file where the text begins.

    Raises:
        ProvisioningError: Of the origin's kind, if it is not JSON, or nested too deeply.
    """
    try:
        return loads(text)
    except json.JSONDecodeError as exc:
        fault = f"is not JSON in line {exc.lineno + first_line - 1}, column {exc.colno}: {exc.msg}"
    except ValueError as exc:
        fault = f"is not usable JSON: {exc}"

    raise origin.error(
        fault if text.strip() else "is empty", reason="json", hint=advice(_json_hint(text), origin)
    )


def loads(text: str) -> Any:
    """Parse JSON of bounded depth; whatever is wrong with it is a `ValueError`."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None

    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")

    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [below for each in level for below in _members(each)]

    return any(isinstance(each, dict | list) for each in level)


def _members(value: object) -> list[object]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return []


def _json_hint(text: str) -> str:
    if text.lstrip().startswith(("{'", "['")):
        return "JSON has double quotes"

    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
        return "it looks like JSON Lines; make a list of them: jq -s . {file} > {copy}"

    return "correct it there"


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """Return number and text of each line that is not blank; only a line feed ends one."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_toml(data: bytes, origin: Origin) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ProvisioningError: Of the origin's kind, if it is not TOML; the message has line and
            column.
    """
    import tomllib  # noqa: PLC0415 (most settings are no file)

    text = decode(data, origin)
    try:
        return tomllib.loads(text)
    except RecursionError:
        fault = "it is nested too deeply"
    except ValueError as exc:  # also of numbers that are too long
        fault = str(exc)

    raise origin.error(
        f"is not TOML: {fault}", reason="toml", hint='a line is like: name = "value"'
    )


def read_password(
    path: str | os.PathLike[str], *, setting: str = "password_file", again: bool = False
) -> bytes:
    """Return a password: the first line of a file, without its line end.

    Args:
        path: The file, which may be a pipe.
        setting: The setting that errors name.
        again: Whether the file will be read again, which a pipe cannot be.

    Raises:
        ConfigurationError: If it cannot be read, or the line is empty, or too long for a key.
    """
    origin = Origin.file(path, what="password file", kind=setting)
    lines = without_bom(read(origin, again=again), origin).splitlines()
    password = lines[0] if lines else b""
    if 0 < len(password) <= MAX_PASSWORD:
        return password

    raise origin.error(
        f"has {len(password)} bytes in its first line",
        reason="length",
        hint=f"write the password, 1 to {MAX_PASSWORD} bytes, into its first line",
    )


def _place(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what comes after a text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
