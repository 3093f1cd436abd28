"""`aiodps roots`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.certificates import certify, root
from tests.scripted.server import ScriptedServer, silent
from tests.scripted.tls import serving

from aiodps.cli.app import app
from aiodps.network.trust import AZURE_ROOTS


def roots(*words: str) -> Result:
    """Type it."""
    return CliRunner().invoke(app, ["roots", *words])


def test_default() -> None:
    """Azure's roots, without a connection."""
    done = roots()

    assert done.exit_code == 0, done.output
    assert all(fingerprint in done.stdout for fingerprint in AZURE_ROOTS.values())


@pytest.mark.sockets
@pytest.mark.parametrize("trusted", [True, False])
def test_endpoint(tmp_path: Path, *, trusted: bool) -> None:
    """What it presents is shown, trusted or not, and where it leads."""
    (tmp_path / "ca.pem").write_bytes(root().certificate_pem)
    trust = str(tmp_path / "ca.pem") if trusted else "azure"
    shown = certify("server", names=["h"])
    with ScriptedServer(silent, tls=serving(shown)) as peer:
        where = ("--endpoint", "127.0.0.1", "--port", str(peer.port))
        done = roots("--json", "--trust", trust, *where)

    facts = json.loads(done.stdout)
    assert (done.exit_code, facts["trust"]) == (0, trust)
    assert [each["subject"] for each in facts["presented"]] == [
        "CN=server",
        "CN=test intermediate",
    ]
    assert (facts["leads_to"] or {}).get("subject") == ("CN=test root" if trusted else None)


@pytest.mark.sockets
def test_table(tmp_path: Path) -> None:
    """For people: the anchors, what was presented, and where it leads."""
    (tmp_path / "ca.pem").write_bytes(root().certificate_pem)
    with ScriptedServer(silent, tls=serving()) as peer:
        where = ("--endpoint", "127.0.0.1", "--port", str(peer.port))
        done = roots("--trust", str(tmp_path / "ca.pem"), *where)

    assert f"Presented by 127.0.0.1:{peer.port}" in done.stdout
    assert done.stdout.rstrip().endswith("Leads to CN=test root")


@pytest.mark.sockets
def test_nobody_there() -> None:
    """3: no connection."""
    with ScriptedServer() as peer:
        port = str(peer.port)

    done = roots("--endpoint", "127.0.0.1", "--port", port)

    assert done.exit_code == 3
    assert "accepts connections" in done.stderr
