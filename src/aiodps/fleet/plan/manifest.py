"""Reader of manifests: lists of devices to provision, as CSV or JSON Lines.

A row has these fields; paths are relative to the manifest.

registration_id     required
certificate         the device's certificate, with its intermediates if any (PEM or DER)
private_key         its private key; not needed if the certificate's file holds it
key_password_file   a file with the key's password in the first line
symmetric_key_file  a file with the device's symmetric key, in place of a certificate
secondary_...       any of these four again, for a credential to use if the first is refused
payload             a JSON object for the custom allocation webhook
error               why it has failed, as `failed.csv` says; ignored
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from aiodps.attestation.files import SECONDARY
from aiodps.errors import ConfigurationError, ProvisioningError
from aiodps.fleet.plan.manifest_parsers import PARSERS, UnknownColumnsError
from aiodps.fresh_files import fresh_file
from aiodps.input_files.origin import Origin, may_be_secret
from aiodps.input_files.reading import MAX_LIST_BYTES, read
from aiodps.input_files.text import decode
from aiodps.key_text import HIDDEN, is_content
from aiodps.models import JsonObject
from aiodps.protocol.identifiers import check_registration_id
from aiodps.protocol.payloads import check_payload

_FILES: Final = ("certificate", "private_key", "key_password_file", "symmetric_key_file")
_PATHS: Final = (*_FILES, *(f"{SECONDARY}{name}" for name in _FILES))
FIELDS: Final = ("registration_id", *_PATHS, "payload")
ERROR: Final = "error"
"""The column of `failed.csv` that says why a device has failed."""
_HINT: Final = "give a .csv or .jsonl file with a registration_id for each device"
_KNOWN: Final = f"known columns: {', '.join(FIELDS)}; to have others, give --ignore-columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One device of a manifest."""

    line: int
    """Line number in the file, from 1."""
    registration_id: str
    files: Mapping[str, Path] = field(default_factory=dict)
    """Of its credentials, by field; empty for one that is issued by a CA, or derived."""
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


def read_manifest(
    path: Path, *, check: Check | None = None, ignore_columns: bool = False
) -> tuple[str, tuple[Row, ...]]:
    """Return the SHA-256 of a manifest, and its rows; its suffix decides how it is read.

    Args:
        path: A `.csv`, `.tsv` or `.jsonl` file; not a pipe, because every shard reads it.
        check: A further check of rows. It is called only if there are bad rows already, so that
            the error lists all of them.
        ignore_columns: Whether columns that are not known are ignored; else they are an error.

    Raises:
        ManifestError: If rows cannot be used; it lists all of them.
        ConfigurationError: If the file cannot be read as a manifest.
    """
    origin = Origin.file(path, what="manifest", kind="manifest")
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        raise _unusable(origin, f"has a name that ends in none of {', '.join(PARSERS)}")

    data = read(origin, limit=MAX_LIST_BYTES, again=True)
    known = None if ignore_columns else (*FIELDS, ERROR)
    try:
        raw = list(parse(decode(data, origin), known))
    except UnknownColumnsError as exc:
        raise _unusable(origin, str(exc), hint=_KNOWN) from None
    except ValueError as exc:
        raise _unusable(origin, str(exc)) from None

    if not raw:
        raise _unusable(origin, "lists no devices")

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


def write_manifest(path: Path, rows: Iterable[Row], errors: Mapping[str, str]) -> None:
    """Write rows as CSV, with absolute paths, and without payloads, which may hold secrets.

    Args:
        path: The file.
        rows: The rows.
        errors: Why a device has failed, by registration id; a column that readers ignore.

    Raises:
        OSError: If the file cannot be written.
    """
    listed = tuple(rows)
    second = any(name not in _FILES for row in listed for name in row.files)
    columns = _PATHS if second else _FILES
    with fresh_file(path) as file:
        writer = csv.writer(file)
        writer.writerow(("registration_id", *columns, ERROR))
        for row in listed:
            error = errors.get(row.registration_id, "")
            paths = (row.files.get(name) for name in columns)
            writer.writerow((row.registration_id, *paths, error))


def _row(line: int, fields: object, folder: Path) -> Row:
    if isinstance(fields, str):
        raise ValueError(fields)  # noqa: TRY004 (the reader's error message)

    if not isinstance(fields, Mapping):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 (an error of the file)

    given = {name: fields[name] for name in FIELDS if fields.get(name) not in ("", None)}
    paths = {name: _path(name, given[name], folder) for name in _PATHS if name in given}
    if "private_key" in paths and "certificate" not in paths:
        raise ValueError("there is a private key but no certificate")

    return Row(
        line=line,
        registration_id=check_registration_id(given.get("registration_id", "")),
        payload=check_payload(given.get("payload")),
        files=paths,
    )


def _path(name: str, value: object, folder: Path) -> Path:
    if not isinstance(value, str) or is_content(value):
        raise ValueError(f"{name} is not a path")

    if may_be_secret(value, what=name) and not os.path.lexists(folder / value):
        raise ValueError(f"{name} is not the path of a file {HIDDEN}")

    return folder / value


def _unusable(origin: Origin, fault: str, *, hint: str = _HINT) -> ProvisioningError:
    return origin.error(fault, reason="manifest", hint=hint)
