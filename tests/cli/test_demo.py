"""`aiodps demo`: the README's first command, as it stands there."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aiodps import X509

pytestmark = pytest.mark.sockets


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the demo."""
    return subprocess.run(
        [sys.executable, "-m", "aiodps", "demo", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_for_people() -> None:
    """Ten devices, each step as it happens, a table, what to type next, and 0."""
    done = demo()

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("demo.azure-devices.net") == 10
    assert done.stderr.count("assigned (") == 10
    assert "possession proved, verified: True" in done.stderr
    assert "next:" in done.stdout


def test_for_machines(tmp_path: Path) -> None:
    """--json gives the same as one object; --out keeps what was made."""
    done = demo("--json", "--issue", "--tpm", "--out", str(tmp_path / "kept"))
    facts = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert {(one["path"], one["transport"]) for one in facts["devices"]} == {
        (way, transport)
        for way in ("individual", "root", "intermediate", "key", "group-key", "issued")
        for transport in ("rest", "mqtt")
    } | {("tpm", "rest")}
    assert all(0 < one["phases"]["wait"] < one["seconds"] for one in facts["devices"])
    assert max(one["seconds"] for one in facts["devices"]) < facts["seconds"]
    assert (tmp_path / "kept" / "demo-root_cert.pem").exists()
    assert stat.S_IMODE((tmp_path / "kept" / "enrollments.json").stat().st_mode) == 0o600
    issued = [one["issued_credential"] for one in facts["devices"] if one["path"] == "issued"]
    assert [X509.from_files(path).registration_id for path in issued] == [
        *("issued-rest", "issued-mqtt"),
    ]
