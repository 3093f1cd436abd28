"""Parsers of manifests: CSV as spreadsheets write it, and JSON Lines.

They yield line number and fields of each row; in place of the fields a string says why they
cannot be parsed. A `ValueError` is a fault of the whole file.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, TypeAlias

from aiodps.input_files.text import json_lines, loads
from aiodps.key_text import shown

ID: Final = "registration_id"
_SEPARATORS: Final = ",;\t|"
_NAMES_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)

Known: TypeAlias = Collection[str] | None
"""The names of columns; None if any other column is ignored."""
Rows: TypeAlias = Iterator[tuple[int, object]]


class UnknownColumnsError(ValueError):
    """A column is not known, and was not to be ignored."""


def _parse_csv(text: str, known: Known) -> Rows:
    first, _, rest = text.partition("\n")
    named = _NAMES_SEPARATOR.fullmatch(first.rstrip("\r"))
    if named is None:
        yield from _parse_separated(text, _separator(first), known)
    else:  # as Excel writes it
        yield from _parse_separated(f"\n{rest}", named[1], known)


def _parse_separated(text: str, separator: str, known: Known) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [cell.strip() for cell in next(filter(None, reader), [])]
        _check_header(header, known)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _fields(header, cells)
    except csv.Error as exc:
        raise ValueError(f"is not CSV in line {reader.line_num}: {exc}") from None


def _separator(header: str) -> str:
    """Return what separates the columns of a header; a comma if that is unknown."""
    found = (each for each in _SEPARATORS if ID in _cells(header, each))
    most = max(_SEPARATORS, key=lambda each: len(_cells(header, each)))
    return next(found, most)


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _check_header(header: Sequence[str], known: Known) -> None:
    if ID not in header:
        alike = [
            name for name in header if re.sub(r"[^a-z]", "", name.lower()) == "registrationid"
        ]
        meant = f" (is {shown(alike[0])} meant?)" if alike else ""
        columns = ", ".join(shown(name) for name in header[:20])
        raise UnknownColumnsError(
            f"has no column {ID}{meant}; "
            + (f"its header is: {columns}" if header else "it is empty")
        )

    for name in header:
        if name and header.count(name) > 1:
            raise ValueError(f"has two columns {shown(name)}")

        if name and known is not None and name not in known:
            raise UnknownColumnsError(f"has the unknown column {shown(name)}")


def _fields(header: Sequence[str], cells: Sequence[str]) -> object:
    """Return the fields of a row, the payload parsed as JSON; a string is an error message."""
    if len(cells) < len(header) or any(cells[len(header) :]):
        return f"it has {len(cells)} cells, and the header has {len(header)}"

    fields: dict[str, object] = {
        name: cell.strip() for name, cell in zip(header, cells, strict=False) if name
    }
    if fields.get("payload"):
        try:
            fields["payload"] = loads(str(fields["payload"]))
        except json.JSONDecodeError as exc:
            return f"the payload is not JSON at character {exc.pos}: {exc.msg}"
        except ValueError as exc:
            return f"the payload is not usable: {exc}"

    return fields


def _parse_json_lines(text: str, known: Known) -> Rows:
    if text.lstrip().startswith("["):
        raise ValueError("is a JSON list; make a line of each object: jq -c '.[]' FILE > NEW")

    for line, row in json_lines(text):
        yield line, _parse_json_line(row, known)


def _parse_json_line(row: str, known: Known) -> object:
    """Return the fields of a row; a string is an error message."""
    try:
        fields = loads(row)
    except json.JSONDecodeError as exc:
        return f"it is not JSON in column {exc.colno}: {exc.msg}"
    except ValueError as exc:
        return f"it is not usable: {exc}"

    if not isinstance(fields, dict):
        return "it is not a JSON object"

    unknown = sorted(fields.keys() - set(known)) if known is not None else []
    if unknown:
        names = ", ".join(known or ())
        return f"unknown field {shown(unknown[0])}; known fields: {names}; see --ignore-columns"

    return fields


PARSERS: Final[dict[str, Callable[[str, Known], Rows]]] = {
    ".csv": _parse_csv,
    ".tsv": _parse_csv,
    ".jsonl": _parse_json_lines,
}
"""Parsers by the end of a file's name."""
