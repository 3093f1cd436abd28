"""Reader of manifests: lists of devices to provision, as CSV or JSON Lines.

A row has these fields; paths are relative to the manifest.

registration_id     required
certificate         the device's certificate, with its intermediates if any (PEM or DER)
private_key         its private key; not needed if the certificate's file holds it
key_password_file   a file with the key's password in the first line
symmetric_key_file  a file with the device's symmetric key, in place of a certificate
payload             a JSON object for the custom allocation webhook
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiodps.attestation.files import AttestationFiles
from aiodps.errors import ConfigurationError, ProvisioningError
from aiodps.models import JsonObject
from aiodps.protocol.identifiers import check_registration_id
from aiodps.protocol.payloads import check_payload

FIELDS: Final = (
    "registration_id",
    "certificate",
    "private_key",
    "key_password_file",
    "symmetric_key_file",
    "payload",
)
_PATHS: Final = ("certificate", "private_key", "key_password_file", "symmetric_key_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One device of a manifest."""

    line: int
    """Line number in the file, from 1."""
    registration_id: str
    files: AttestationFiles = AttestationFiles()  # noqa: RUF009 (frozen)
    """Of its credential; none if a CA is to issue a certificate, or a key is to be derived."""
    payload: JsonObject | None = field(default=None, repr=False)


Check: TypeAlias = Callable[[Row], object]
"""Checks one row; raises `ProvisioningError` if it cannot be used."""


class ManifestError(ConfigurationError):
    """Rows of a manifest cannot be used; nothing was sent."""

    def __init__(self, path: Path, errors: list[tuple[int, str]]) -> None:
        line, reason = errors[0]
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(
            f"{path}, line {line}: {reason}{more}",
            setting="manifest",
            hint="correct the rows; nothing was sent for any device",
        )
        self.bad_rows: tuple[str, ...] = tuple(
            f"{path}:{line}: {reason}" for line, reason in errors
        )
        """Every bad row, with file, line and reason."""


def read_manifest(path: Path, *, check: Check | None = None) -> tuple[str, tuple[Row, ...]]:
    """Return the SHA-256 of a manifest, and its rows; its suffix decides how it is read.

    Args:
        path: A `.csv` or `.jsonl` file.
        check: A further check of rows. It is called only if there are bad rows already, so that
            the error lists all of them.

    Raises:
        ManifestError: If rows cannot be used; it lists all of them.
        ConfigurationError: If the file cannot be read as a manifest.
    """
    try:
        read = _READERS[path.suffix.lower()]
    except KeyError:
        raise _unreadable(path, "its name ends in neither .csv nor .jsonl") from None

    try:
        data = path.read_bytes()
        raw = list(read(data.decode("utf-8-sig")))
    except OSError as exc:
        raise _unreadable(path, str(exc.strerror)) from exc
    except (ValueError, csv.Error) as exc:
        raise _unreadable(path, str(exc)) from exc

    if not raw:
        raise _unreadable(path, "it lists no devices")

    return hashlib.sha256(data).hexdigest(), _rows(path, raw, check)


def _rows(path: Path, raw: list[tuple[int, object]], check: Check | None) -> tuple[Row, ...]:
    rows: list[Row] = []
    errors: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for line, fields in raw:
        try:
            row = _row(line, fields, path.absolute().parent)
        except ProvisioningError as error:
            errors.append((line, error.message))
        except ValueError as exc:
            errors.append((line, str(exc)))
        else:
            first = seen.setdefault(row.registration_id.casefold(), line)
            if first == line:
                rows.append(row)
            else:
                errors.append((line, f"{row.registration_id!r} is already in line {first}"))

    if errors:
        raise ManifestError(path, sorted([*errors, *failing_rows(rows, check)]))

    return tuple(rows)


def failing_rows(rows: Iterable[Row], check: Check | None) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each row that fails a check."""
    if check is None:
        return

    for row in rows:
        try:
            check(row)
        except ProvisioningError as error:
            yield row.line, error.message


def _row(line: int, fields: object, folder: Path) -> Row:
    if isinstance(fields, str):
        raise ValueError(fields)  # noqa: TRY004 (the reader's error message)

    if not isinstance(fields, Mapping):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 (an error of the file)

    unknown = sorted(map(str, fields.keys() - {*FIELDS}))
    if unknown:
        known = ", ".join(FIELDS)
        raise ValueError(f"unknown field {unknown[0]!a}; known fields: {known}")

    given = {name: value for name, value in fields.items() if value not in ("", None)}
    paths = {name: _path(name, given[name], folder) for name in _PATHS if name in given}
    if "private_key" in paths and "certificate" not in paths:
        raise ValueError("there is a private key but no certificate")

    return Row(
        line=line,
        registration_id=check_registration_id(given.get("registration_id", "")),
        payload=check_payload(given.get("payload")),
        files=AttestationFiles(**paths),
    )


def _path(name: str, value: object, folder: Path) -> Path:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{name} is not a path")

    return folder / value


def _from_csv(text: str) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    header = reader.fieldnames or []
    if "registration_id" not in header:
        raise ValueError("the header has no column registration_id")

    unknown = sorted({*header} - {*FIELDS})
    if unknown:
        raise ValueError(f"unknown column {unknown[0]!a}; known columns: {', '.join(FIELDS)}")

    for cells in reader:
        line = reader.line_num
        if None in cells or None in cells.values():
            yield line, "it has more or fewer cells than the header"
            continue

        yield line, _with_payload(cells)


def _with_payload(cells: Mapping[str, str]) -> object:
    """Return the fields of a row, the payload read as JSON; a string is an error message."""
    fields: dict[str, object] = {name: text.strip() for name, text in cells.items()}
    if fields.get("payload"):
        try:
            fields["payload"] = json.loads(str(fields["payload"]))
        except ValueError:
            return "the payload is not JSON"

    return fields


def _from_jsonl(text: str) -> Iterator[tuple[int, object]]:
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue

        try:
            yield line, json.loads(row)
        except ValueError as exc:
            yield line, f"it is not JSON: {exc}"


_READERS: Final[dict[str, Callable[[str], Iterator[tuple[int, Any]]]]] = {
    ".csv": _from_csv,
    ".jsonl": _from_jsonl,
}


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{str(path)!r} cannot be read as a manifest: {reason}",
        setting="manifest",
        hint="give a .csv or .jsonl file with a registration_id for each device",
    )
