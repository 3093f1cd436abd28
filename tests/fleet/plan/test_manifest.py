"""Lists of devices: two forms, one meaning; every bad row is named."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import root

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.manifest import ManifestError, Row, read_manifest, write_manifest

CSV = """registration_id,certificate,private_key,key_password_file,payload
dev-1,certs/dev-1.pem,certs/dev-1.key,,"{""model"": ""x""}"
dev-2,/etc/dev-2.pem,,secret.txt,
dev-3,,,,
"""
JSONL = """{"registration_id": "dev-1", "certificate": "certs/dev-1.pem", "private_key": "certs/dev-1.key", "payload": {"model": "x"}}

{"registration_id": "dev-2", "certificate": "/etc/dev-2.pem", "key_password_file": "secret.txt"}
{"registration_id": "dev-3"}
"""


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        pytest.param("m.csv", CSV, (2, 3, 4), id="csv"),
        pytest.param("m.CSV", "\ufeff" + CSV.replace("\n", "\r\n"), (2, 3, 4), id="excel"),
        pytest.param("m.jsonl", JSONL, (1, 3, 4), id="jsonl"),
    ],
)
def test_each_form(name: str, text: str, lines: tuple[int, ...], tmp_path: Path) -> None:
    """Each form gives the same rows; paths are meant from where the list lies."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    digest, rows = read_manifest(path)

    assert rows == (
        Row(
            line=lines[0],
            registration_id="dev-1",
            files={
                "certificate": tmp_path / "certs/dev-1.pem",
                "private_key": tmp_path / "certs/dev-1.key",
            },
            payload={"model": "x"},
        ),
        Row(
            line=lines[1],
            registration_id="dev-2",
            files={
                "certificate": Path("/etc/dev-2.pem"),
                "key_password_file": tmp_path / "secret.txt",
            },
        ),
        Row(line=lines[2], registration_id="dev-3"),
    )
    assert len(digest) == 64


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    """File, line and reason, for each of them and for no good one."""
    path = tmp_path / "m.jsonl"
    path.write_text(
        '{"registration_id": "good-1"}\n'
        '{"registration_id": "bad/1"}\n'
        "{not json\n"
        '{"registration_id": "GOOD-1"}\n'
        "[1]\n"
        '{"registration_id": "x", "colour": "red"}\n'
        '{"certificate": "x.pem"}\n'
        '{"registration_id": "y", "certificate": 7}\n'
        '{"registration_id": "z", "private_key": "z.key"}\n'
        '{"registration_id": "p", "payload": [1]}\n'
        '{"registration_id": "good-2"}\n'
    )
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)

    bad_rows = caught.value.bad_rows
    reasons = {
        2: "has '/' at position 3",
        3: "it is not JSON",
        4: "is already in line 1",
        5: "it is not a JSON object",
        6: "unknown field 'colour'",
        7: "is empty",
        8: "certificate is not a path",
        9: "a private key but no certificate",
        10: "payload",
    }
    assert len(bad_rows) == len(reasons)
    for bad_row, (line, reason) in zip(bad_rows, reasons.items(), strict=True):
        assert bad_row.startswith(f"{path}:{line}: ")
        assert reason in bad_row

    assert "line 2" in caught.value.message
    assert "8 more" in caught.value.message


KEY = root().private_key_pem.decode()
BODY = "".join(KEY.splitlines()[1:-1])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, KEY) for column in ("certificate", "private_key", "key_password_file")),
        ("private_key", KEY.replace("\n", "\\n")),
        ("private_key", BODY),
        ("key_password_file", "hunter2"),
        ("registration_id", BODY),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_key_in_place_of_a_path(column: str, value: str, form: str, tmp_path: Path) -> None:
    """Neither a key nor a password is repeated."""
    fields = {"registration_id": "d", "certificate": "c.pem", column: value}
    path = tmp_path / f"m.{form}"
    with path.open("w", newline="") as file:
        if form == "csv":
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerow(fields)
        else:
            json.dump(fields, file)

    with pytest.raises(ManifestError) as caught:
        read_manifest(path)

    said = str(caught.value) + " ".join(caught.value.bad_rows)
    assert BODY[:30] not in said
    assert "hunter2" not in said


def test_a_manifest_is_no_pipe(tmp_path: Path) -> None:
    """Every shard reads it, and `resume` does."""
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(ConfigurationError, match="read more than once"):
        read_manifest(tmp_path / "m.csv")


def test_other_columns(tmp_path: Path) -> None:
    """They are an error that names the option, or ignored."""
    for name, text, says in (
        ("m.csv", "registration_id,site\na,b\n", "unknown column 'site'"),
        ("m.jsonl", '{"registration_id": "a", "site": [1]}\n', "unknown field 'site'"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigurationError, match=says) as caught:
            read_manifest(tmp_path / name)

        assert "--ignore-columns" in str(caught.value)
        assert len(read_manifest(tmp_path / name, ignore_columns=True)[1]) == 1


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Paths are absolute, so that the file may be anywhere; payloads may be secret, and missing."""
    (tmp_path / "m.csv").write_text(CSV)
    _, rows = read_manifest(tmp_path / "m.csv")
    (tmp_path / "run").mkdir()
    failed = tmp_path / "run" / "failed.csv"
    write_manifest(failed, rows, {"dev-1": "UnauthorizedError 401002"})

    assert read_manifest(failed)[1] == (replace(rows[0], payload=None), *rows[1:])
    assert "dev-1.key,,,UnauthorizedError 401002" in failed.read_text()


def test_bad_cells_of_csv(tmp_path: Path) -> None:
    """Too many cells, too few, and a payload that is no JSON."""
    path = tmp_path / "m.csv"
    path.write_text("registration_id,payload\na,{},x\nb\nc,{\nd,{}\n")
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)

    assert [fault.removeprefix(f"{path}:").split(":")[0] for fault in caught.value.bad_rows] == [
        *("2", "3", "4"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        pytest.param("m.xlsx", b"PK", "none of .csv, .tsv, .jsonl", id="form"),
        pytest.param("m.csv", None, "No such file", id="missing"),
        pytest.param("m.csv", b"", "no column registration_id", id="empty"),
        pytest.param("m.csv", b"registration_id\n", "lists no devices", id="no rows"),
        pytest.param("m.csv", b"name\nx\n", "no column registration_id", id="header"),
        pytest.param(
            "m.csv", b"registration_id,cert\na,b\n", "unknown column 'cert'", id="column"
        ),
        pytest.param("m.csv", b"registration_id\n\xe4\n", "is not UTF-8 in line 2", id="cp1252"),
        pytest.param("m.csv", "registration_id\n".encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param("m.toml", b"", "none of .csv, .tsv, .jsonl", id="toml"),
        pytest.param("m.jsonl", b'\n[{"registration_id": "a"}]', "is a JSON list", id="list"),
        pytest.param("m.csv", b"registration_id\na\0b\n", "position 1", id="NUL"),
        pytest.param("m.csv", b'registration_id\n"a\n', "is not CSV in line 2", id="quote"),
    ],
)
def test_files_that_are_no_lists(
    name: str, data: bytes | None, reason: str, tmp_path: Path
) -> None:
    """What cannot be read at all is told with the reason."""
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(ConfigurationError) as caught:
        read_manifest(path)

    assert reason in caught.value.message
    assert caught.value.setting == "manifest"
