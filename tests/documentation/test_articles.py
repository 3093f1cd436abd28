"""The page about the two articles can be followed in a shell, from its first line to its last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.documentation.blocks import ROOT, blocks

pytestmark = pytest.mark.processes
PAGE = ROOT / "docs" / "articles.md"
PATH = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def shell(code: str, folder: Path) -> str:
    """Run a block as somebody who pasted it, and return what it prints."""
    done = subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env=os.environ | PATH,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_step_works(tmp_path: Path) -> None:
    """All but the installation, and the last step, which is for Azure."""
    _, prepare, start, *steps, _azure = blocks(PAGE, "sh")
    shell(prepare, tmp_path)
    command = f"exec {start.strip()} --https-port 0 --mqtt-port 0 --retry-after 1 --json"
    with subprocess.Popen(
        ["bash", "-euc", command], cwd=tmp_path, env=os.environ | PATH, stdout=subprocess.PIPE
    ) as emulator:
        try:
            assert emulator.stdout is not None
            ready = json.loads(emulator.stdout.readline())
            ports = {"8443": str(ready["https_port"]), "8883": str(ready["mqtt_port"])}
            printed = [shell(_at(ports, code), tmp_path) for code in steps]
        finally:
            emulator.terminate()

    accepted, *assigned = printed
    assert "202 Accepted" in accepted
    assert len(assigned) == 3
    assert all("emulated-hub.azure-devices.net" in each for each in assigned)


def _at(ports: dict[str, str], code: str) -> str:
    """Put the ports of a test in the place of the usual ones."""
    for usual, actual in ports.items():
        code = code.replace(usual, actual)

    return code
