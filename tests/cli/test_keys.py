"""`aiodps keys`, as it is typed."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result
from tests.sas_vectors import DERIVED

from aiodps.cli.keys import command

Run: TypeAlias = Callable[..., Result]
ARTICLE = DERIVED["article"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aiodps keys` in a directory that has the article's group key."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "group.key"
    path.touch(mode=0o600)
    path.write_text(f"{ARTICLE.group_key}\n", encoding="utf-8")

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(command, words, catch_exceptions=False)

    return invoke


def test_derive(run: Run) -> None:
    """The key of the article, alone on stdout, for a pipe."""
    done = run("derive", ARTICLE.registration_id, "--group-key-file", "group.key")

    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{ARTICLE.key}\n", "")


def test_the_group_key_file_of_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same variable as everywhere."""
    monkeypatch.setenv("AIODPS_GROUP_KEY_FILE", "group.key")

    assert run("derive", ARTICLE.registration_id).stdout == f"{ARTICLE.key}\n"


def test_into_a_file(run: Run, tmp_path: Path) -> None:
    """Readable by its owner only, never overwritten by mistake, and not shown."""
    words = ("derive", ARTICLE.registration_id, "--group-key-file", "group.key", "--out", "a.key")
    done = run(*words)
    again = run(*words, "--json")
    forced = run(*words, "--force", "--json")

    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "a.key").read_text(encoding="utf-8") == f"{ARTICLE.key}\n"
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert (again.exit_code, json.loads(again.stdout)["setting"]) == (2, "out")
    assert json.loads(forced.stdout) == {
        "registration_id": ARTICLE.registration_id,
        "symmetric_key_file": "a.key",
    }


def test_new(run: Run) -> None:
    """64 bytes, new each time."""
    keys = {json.loads(run("new", "--json").stdout)["key"] for _ in range(3)}

    assert [len(base64.b64decode(key)) for key in keys] == [64, 64, 64]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("derive", "a b", "--group-key-file", "group.key"), "position 1"),
        (("derive", "a", "--group-key-file", "absent"), "cannot be read"),
        (("new", "--out", "absent/a.key"), "cannot be written"),
    ],
)
def test_bad_input(run: Run, words: tuple[str, ...], told: str) -> None:
    """2, and what is wrong."""
    done = run(*words)

    assert done.exit_code == 2
    assert told in done.stderr


URI = "pkcs11:token=t;object=o;type=private"


def test_reference(run: Run, tmp_path: Path) -> None:
    """It is what `X509.from_files` takes, on stdout or in a file."""
    shown = run("reference", URI)
    written = run("reference", URI, "--out", "a.pem", "--json")

    assert shown.stdout.startswith("-----BEGIN PKCS#11 PROVIDER URI-----\n")
    assert (tmp_path / "a.pem").read_text(encoding="utf-8") == shown.stdout
    assert json.loads(written.stdout) == {"private_key": "a.pem"}


@pytest.mark.parametrize("uri", ["a.pem", "pkcs11:object=o;type=cert", f"{URI}?pin-value=1234"])
def test_no_reference(run: Run, uri: str) -> None:
    """Of something else; and no PIN is on a command line, nor repeated."""
    done = run("reference", uri)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "1234" not in done.stderr
