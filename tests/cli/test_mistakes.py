"""Mistakes on the command line end in a message and an exit code, and repeat no key."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.certificates import root

from aiodps.cli.app import app
from aiodps.cli.mistakes import (
    BUG,
    UNWRITTEN,
    mistakes_as_exit_codes,
    name_options,
    without_secrets,
)

KEY = root().private_key_pem.decode()
BODY = "".join(KEY.splitlines()[1:-1])
SYMMETRIC = base64.b64encode(hashlib.sha512(b"a").digest()).decode()
SECRETS = [KEY, KEY.replace("\n", "\\n"), BODY, SYMMETRIC]
PLACES = [
    ("SECRET",),
    ("certs", "SECRET"),
    ("certs", "show", "SECRET"),
    ("certs", "show", "x", "SECRET"),
    ("certs", "root", "SECRET"),
    ("certs", "root", "x", "--out", "SECRET"),
    ("certs", "root", "x", "--days", "SECRET"),
    ("certs", "root", "x", "--password-file", "SECRET"),
    ("certs", "device", "x", "SECRET"),
    ("certs", "verification", "--ca", "SECRET", "--key", "SECRET", "--nonce", "C"),
    *(
        ("provision", "--id-scope", "0ne1", option, "SECRET")
        for option in (
            "--cert",
            "--key",
            "--key-password-file",
            "--trust",
            "--config",
            "--payload",
        )
    ),
    *(("check", option, "SECRET") for option in ("--cert", "--key", "--verified-ca", "--trust")),
    ("check", "--symmetric-key-file", "SECRET", "--registration-id", "r"),
    ("roots", "--trust", "SECRET"),
    ("roots", "--endpoint", "SECRET"),
    ("provision", "--id-scope", "SECRET"),
    ("provision", "--id-scope", "0ne1", "--cert", "x", "--registration-id", "SECRET"),
    ("provision", "--id-scope", "0ne1", "--cert", "x", "--payload", "@SECRET"),
    ("provision", "--endpoint", "SECRET"),
    ("provision", "--transport", "SECRET"),
    ("provision", "--port=SECRET"),
    ("provision", "--nosuch=SECRET"),
    *(
        ("emulator", option, "SECRET")
        for option in (
            *("--enrollments", "--verified-ca", "--faults", "--state", "--webhook-ca"),
            *("--https-port", "--seed", "--id-scope"),
        )
    ),
    *(
        ("fleet", "run", "--manifest", "m.csv", "--id-scope", "0ne1", option, "SECRET")
        for option in (
            "--manifest",
            "--trust",
            "--ca",
            "--ca-key",
            "--keys-out",
            "--shard",
            "--rate",
        )
    ),
    ("fleet", "report", "SECRET"),
    ("fleet", "resume", "SECRET"),
    ("fleet", "merge", "out", "SECRET"),
    ("fleet", "compare", "SECRET", "SECRET"),
    ("demo", "--out", "SECRET", "SECRET"),
]


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
def test_no_key_is_repeated(place: tuple[str, ...], json_: bool) -> None:
    """Wherever it was given, in whatever form: exit code 2, and not a part of it on the screen."""
    for secret in SECRETS:
        words = [word.replace("SECRET", secret) for word in place]
        result = CliRunner().invoke(app, [*words, *(["--json"] if json_ else [])])

        assert result.exit_code == 2
        said = "".join(result.output.split())
        assert BODY[10:34] not in said
        assert SYMMETRIC[:24] not in said


@pytest.mark.parametrize("place", ["--timeout", "--endpoint", "--id-scope", "--config", "--json"])
def test_no_password_of_a_proxy_is_repeated(place: str) -> None:
    """Its URL was meant for `--proxy`."""
    words = ["provision", place, "http://user:s3cret@proxy.example:3128"]
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 2
    assert "s3cret" not in result.output


def test_usage_errors_as_json() -> None:
    """A script that asked for JSON gets JSON."""
    result = CliRunner().invoke(app, ["provision", "--port", "x", "--json"])
    facts = json.loads(result.stdout)

    assert result.exit_code == 2
    assert facts["error"] == "ConfigurationError"
    assert "--port" in facts["message"]
    assert "aiodps provision --help" in facts["hint"] or "--help" in facts["hint"]


def test_usage_errors_as_text() -> None:
    """As every command line tool says them."""
    result = CliRunner().invoke(app, ["provision", "--prot", "x"])

    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "No such option" in result.stderr
    assert not result.stdout


@click.command()
@click.option("--fail")
def failing(fail: str) -> None:
    """Fail in one of the ways that are nobody's intention."""
    raise {
        "bug": RuntimeError(KEY),
        "package": ModuleNotFoundError("no", name="bokeh.io"),
        "own": ModuleNotFoundError("no", name="aiodps.nosuch"),
        "abort": click.Abort(),
    }[fail]


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("bug", BUG, "RuntimeError in test_mistakes.py"),
        ("package", 2, "'bokeh.io' is not installed"),
        ("abort", 130, ""),
    ],
)
def test_what_nobody_intended(
    how: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message that says where it happened, and what to do."""
    with pytest.raises(SystemExit) as caught, mistakes_as_exit_codes([]):
        failing.main(["--fail", how], standalone_mode=False)

    said = capsys.readouterr().err
    assert caught.value.code == code
    assert says in said
    assert BODY[:30] not in said
    assert "Traceback" not in said


@pytest.mark.sockets
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_to_a_disk_that_is_full() -> None:
    """That is no bug: it is said, without a traceback at the end either."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "aiodps", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == UNWRITTEN
    assert done.stderr.startswith("error: the output cannot be written: No space left on device")
    assert done.stderr.count("\n") == 2


def test_a_module_of_ours_that_is_missing() -> None:
    """That is no matter of extras."""
    with pytest.raises(ModuleNotFoundError), mistakes_as_exit_codes([]):
        failing.main(["--fail", "own"], standalone_mode=False)


@pytest.mark.parametrize("write", [str, repr, lambda text: text[:60]])
def test_messages_of_click(write: Callable[[str], str]) -> None:
    """They quote arguments, whole or in part."""
    for secret in SECRETS:
        assert BODY[:24] not in without_secrets(f"no {write(secret)}", [f"--x={secret}"])
        assert SYMMETRIC[:24] not in without_secrets(f"no {write(secret)}", [secret])

    assert without_secrets("no such option: --x", ["--x"]) == "no such option: --x"


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("give id_scope= (--id-scope), or set X", "give --id-scope, or set X"),
        ("use transport='rest'", "use --transport rest"),
        ("allow it with hub_suffixes=", "allow it with --hub-suffix"),
        ("give it with `trust=` (`--trust`)", "give it with --trust"),
        ("allow it with `trust=`", "allow it with --trust"),
        ("give private_key= (--key), or not", "give --key, or not"),
        ("derived with SymmetricKey.derive (--a or --b)", "derived with --a or --b"),
        ("give beyond_loopback=True (--i-know)", "give --i-know"),
        ("give sign= for an HSM", "give sign= for an HSM"),
        ("give the key's own file (--key)", "give the key's own file (--key)"),
    ],
)
def test_hints_name_options(hint: str, shown: str) -> None:
    """A hint names arguments of Python, and on the command line the options in their place."""
    from aiodps.cli.provision import command  # noqa: PLC0415 (not all of these commands)

    assert name_options(hint, click.Context(command)) == shown
