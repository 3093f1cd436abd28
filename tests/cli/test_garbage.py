"""Whatever people give to the command line, it ends with a message, and never with a traceback."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import certificates as kit

from aiodps.cli.app import app
from aiodps.cli.mistakes import BUG

pytestmark = pytest.mark.slow

KEY: Final = kit.root().private_key_pem
BODY: Final = b"".join(KEY.splitlines()[1:-1]).decode()
WHOLE: Final = {
    "d.pem": kit.root().device("d").chain_pem,
    "d.key": KEY,
    "d.toml": b'id_scope = "0ne1"\ncertificate = "d.pem"\n',
    "d.csv": b"registration_id,certificate,private_key\nd,d.pem,d.key\n",
    "d.jsonl": b'{"registration_id": "d", "certificate": "d.pem"}\n',
    "d.json": b'[{"registrationId": "d", "attestation": {"type": "symmetricKey"}}]',
}
SETTINGS = ("ID_SCOPE", "ENDPOINT", "PORT", "TRUST", "CERTIFICATE", "PRIVATE_KEY", "TIMEOUT", "X")
COMMANDS: Final = (
    ("certs", "show", "FILE"),
    ("certs", "root", "x", "--out", "out", "--password-file", "FILE"),
    ("certs", "verification", "--ca", "FILE", "--key", "FILE", "--nonce", "C", "--out", "out"),
    ("provision", "--id-scope", "0 1", "--config", "FILE"),
    ("provision", "--id-scope", "0ne1", "--cert", "d.pem", "--key", "FILE"),
    ("provision", "--id-scope", "0ne1", "--cert", "FILE", "--key", "d.key"),
    ("provision", "--id-scope", "0ne1", "--cert", "FILE", "--key-password-file", "FILE"),
    ("provision", "--id-scope", "0ne1", "--trust", "FILE", "--cert", "no"),
    ("provision", "--id-scope", "0ne1", "--payload", "@FILE", "--cert", "no"),
    ("emulator", "--enrollments", "FILE", "--retry-after", "-1"),
    ("emulator", "--enrollments", "FILE", "--assign-after", "1e300"),
    ("emulator", "--faults", "FILE", "--assign-after", "1e300"),
    ("emulator", "--webhook-ca", "FILE", "--assign-after", "1e300"),
    ("fleet", "run", "--manifest", "FILE", "--id-scope", "0ne1", "--limit-rate", "-1"),
    (
        "fleet",
        "run",
        "--manifest",
        "d.csv",
        "--id-scope",
        "0ne1",
        "--trust",
        "FILE",
        "--out",
        "d.pem",
    ),
    ("fleet", "run", "--manifest", "FILE", "--id-scope", "0ne1", "--out", "d.pem"),
    ("fleet", "report", "DIR"),
    ("fleet", "resume", "DIR"),
)
"""None of them gets as far as the network."""


def damaged() -> st.SearchStrategy[bytes]:
    """Files that were good, with bytes changed, missing or added; and files that never were."""
    good = st.sampled_from(list(WHOLE.values()))
    cut = st.builds(
        lambda data, place: data[: place % (len(data) + 1)], good, st.integers(0, 5000)
    )
    changed = st.builds(
        lambda data, place, junk: data[: (at := place % len(data))] + junk + data[at + 1 :],
        good,
        st.integers(0, 5000),
        st.binary(max_size=3),
    )
    text = st.text(max_size=100).map(lambda each: each.encode("utf-8", "replace"))
    deep = st.sampled_from(
        [b"[" * 20_000, b'{"a":' * 20_000, b"a = " + b"[" * 20_000, b"9" * 9_000]
    )
    return st.one_of(
        good,
        cut,
        changed,
        deep,
        text,
        st.binary(max_size=200),
        text.map(lambda each: b"0\x82" + each),
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with good files, for all examples."""
    path = Path(tempfile.mkdtemp())
    for name, data in WHOLE.items():
        (path / name).touch(mode=0o600)
        (path / name).write_bytes(data)

    yield path
    shutil.rmtree(path)


def run(folder: Path, words: Sequence[str], environment: dict[str, str]) -> None:
    """Run a command in the folder; it ends with an exit code of its own."""
    clean: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith("AIODPS_")
    }
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(app, words, env={**clean, **environment})
    finally:
        os.chdir(before)

    assert isinstance(result.exception, SystemExit | None)
    assert result.exit_code != BUG, result.output
    assert BODY[10:50] not in "".join(result.output.split())


SLOW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@SLOW
@given(data=damaged(), suffix=st.sampled_from(["", ".csv", ".jsonl", ".tsv", ".toml"]))
def test_any_file(folder: Path, command: Sequence[str], data: bytes, suffix: str) -> None:
    """At every option that takes one."""
    name = f"file{suffix}"
    (folder / name).write_bytes(data)
    (folder / "run").mkdir(exist_ok=True)
    for each in ("run.json", "summary.json", "assignments.csv"):
        (folder / "run" / each).write_bytes(data)

    run(
        folder,
        [{"FILE": name, "@FILE": f"@{name}", "DIR": "run"}.get(word, word) for word in command],
        {},
    )


WORDS = st.one_of(
    st.sampled_from(
        ["certs", "show", "root", "fleet", "run", "provision", "report", "--json", "--"]
    ),
    st.sampled_from(
        ["--id-scope", "--cert", "--port", "--out", "--days", "--manifest", "--trust"]
    ),
    st.sampled_from(
        ["d.pem", "d.key", "d.csv", ".", "/dev/null", KEY.decode(), BODY, "0", "-1", "1e9"]
    ),
    st.text(max_size=20).filter(lambda text: "\0" not in text),
)


def safe(words: Sequence[str]) -> bool:
    """Whether no command is run that would listen or connect."""
    return not {"emulator", "demo"} & set(words)


@pytest.mark.filterwarnings("ignore")
@settings(SLOW, max_examples=150)
@given(words=st.lists(WORDS, max_size=7).filter(safe))
def test_any_arguments(folder: Path, words: Sequence[str]) -> None:
    """In any order."""
    run(folder, words, {"AIODPS_PORT": "0"})


@pytest.mark.filterwarnings("ignore")
@settings(SLOW, max_examples=100)
@given(name=st.sampled_from(SETTINGS), value=WORDS)
def test_any_environment(folder: Path, name: str, value: str) -> None:
    """In every setting."""
    run(folder, ["provision", "--timeout", "-1"], {f"AIODPS_{name}": value or "x"})
