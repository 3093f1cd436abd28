"""`aiodps check`, as it is typed: lines, JSON and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result
from tests.certificates import certify, root, write
from tests.checks.staged import answering
from tests.scripted.http import HttpServer
from tests.scripted.server import silent

from aiodps.cli.app import app

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that checks a device against a server that gives one answer."""
    certificate, key = write(certify("device-1"), tmp_path)
    (tmp_path / "ca.pem").write_bytes(root().certificate_pem)

    def check(*words: str, status: int = 404) -> Result:
        with HttpServer(silent, answering(status)) as peer:
            return CliRunner().invoke(
                app,
                [
                    *("check", "--endpoint", "127.0.0.1", "--port", str(peer.port)),
                    *("--transport", "rest", "--trust", str(tmp_path / "ca.pem")),
                    *("--cert", str(certificate), "--key", str(key)),
                    *("--verified-ca", str(tmp_path / "ca.pem"), *words),
                ],
            )

    return check


@pytest.mark.sockets
def test_good(run: Run) -> None:
    """0: a line for each check, and how many there are."""
    done = run("--id-scope", "0ne00000000")

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("✓ settings       id scope 0ne00000000")
    assert lines[-1] == "9 good, 0 bad, 3 not tried"


@pytest.mark.sockets
def test_bad(run: Run) -> None:
    """1: JSON is one object, with the fault by its name."""
    done = run("--json", "--registration-id", "device-2")
    facts = json.loads(done.stdout)

    assert (done.exit_code, done.stderr) == (1, "")
    assert (facts["good"], facts["transports"]) == (False, ["rest"])
    assert [each["fault"] for each in facts["findings"] if each["fault"]] == [
        "registration_id_mismatch"
    ]


def test_bad_input() -> None:
    """2: what cannot be a setting is refused as everywhere."""
    done = CliRunner().invoke(app, ["check", "--endpoint", "https://dps"])

    assert done.exit_code == 2
    assert "has a scheme" in done.stderr
