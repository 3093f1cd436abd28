"""`aiodps status`, as it is typed: the table, JSON and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result
from tests.certificates import certify, root, write
from tests.scripted.http import HttpServer, always, answer

from aiodps.cli.app import app

pytestmark = pytest.mark.sockets
Run: TypeAlias = Callable[..., Result]

ASSIGNED = {
    "registrationId": "device-1",
    "status": "assigned",
    "assignedHub": "contoso.azure-devices.net",
    "deviceId": "press-4",
    "createdDateTimeUtc": "2026-11-29T10:00:00.1234567Z",
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that looks a device up at a service that gives one answer."""
    certificate, key = write(certify("device-1"), tmp_path)
    (tmp_path / "ca.pem").write_bytes(root().certificate_pem)

    def status(code: int, *words: str, **members: object) -> Result:
        with HttpServer(always(answer(code, json.dumps(members).encode()))) as peer:
            return CliRunner().invoke(
                app,
                [
                    *("status", "--endpoint", "127.0.0.1", "--port", str(peer.port)),
                    *("--id-scope", "0ne00000000", "--trust", str(tmp_path / "ca.pem")),
                    *("--cert", str(certificate), "--key", str(key), *words),
                ],
            )

    return status


def test_assigned(run: Run) -> None:
    """0: the record as a table on stdout, the steps on stderr; by default over REST."""
    done = run(200, **ASSIGNED)

    assert done.exit_code == 0, done.stderr
    rows = dict(line.rstrip().split("  ", 1) for line in done.stdout.splitlines())
    assert rows["status"].strip() == "assigned"
    assert rows["assigned hub"].strip() == "contoso.azure-devices.net"
    assert rows["created"].strip().startswith("2026-11-29 10:00:00")
    assert "error code" not in rows
    assert "look up" in done.stderr
    assert "found: assigned" in done.stderr


@pytest.mark.parametrize("status", ["assigning", "failed", "disabled"])
def test_any_other_status(run: Run, status: str) -> None:
    """1: the record all the same; JSON is one object, with null for what is not said."""
    done = run(200, "--json", registrationId="device-1", status=status, errorMessage="no hub")
    facts = json.loads(done.stdout)

    assert (done.exit_code, done.stderr) == (1, "")
    assert (facts["status"], facts["assigned_hub"]) == (status, None)
    assert facts["error_message"] == "no hub"


def test_unknown(run: Run) -> None:
    """1: a device without a record is told what to do."""
    done = run(404, errorCode=404201, message="Registration not found.")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "error=NotFoundError" in done.stderr
    assert "has not registered yet" in done.stderr


def test_mqtt(run: Run) -> None:
    """2: refused with the reason, before anything is sent."""
    done = run(200, "--transport", "mqtt", **ASSIGNED)

    assert done.exit_code == 2
    assert "no look-up of registrations over MQTT" in done.stderr
