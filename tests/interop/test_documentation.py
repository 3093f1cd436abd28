"""What the page about clients tells to copy and paste is copied and pasted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.harness import HOST, environment

pytestmark = pytest.mark.interop
PAGES = Path(__file__).parents[2] / "docs" / "emulator"
BLOCK = re.compile(
    r"^## (?P<section>[^\n]*)$|^```(?P<kind>sh|python|js)\n(?P<code>.*?)```",
    re.MULTILINE | re.DOTALL,
)
ENVIRONMENTS = {
    "azure-iot-device (Python)": "azure-iot-device",
    "The service API": "azure-iot-deviceprovisioning",
}
PRINTS = {
    "The service API": "",
    "The JSON API": '"register_requests": {"total"',
    "Certificates for devices": "thirty-days",
    "Certificates and proof of possession": '"isVerified":true',
}
"""What a section's blocks print; those of devices print their hub."""
PATIENCE = 60.0


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """Find section, kind and code of each block."""
    section = ""
    for found in BLOCK.finditer((PAGES / page).read_text("utf-8")):
        section = found["section"] or section
        if found["kind"]:
            yield section, found["kind"], found["code"]


def here(code: str) -> str:
    """Put an address of our own in the place of the usual one."""
    return code.replace("127.0.0.1:8443", f"{HOST}:443").replace("127.0.0.1", HOST)


def variables() -> dict[str, str]:
    """Make the environment of a user."""
    home = os.environ.get("INTEROP_ENVIRONMENTS", "")
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NODE_PATH": f"{home}/node/node_modules",
        "NODE_EXTRA_CA_CERTS": "ca.pem",
    }


def run(words: list[str], directory: Path) -> str:
    """Run something to its end and return what it prints."""
    done = subprocess.run(
        words,
        cwd=directory,
        env=variables(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dispatcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which the quick start was followed, while its emulator runs."""
    directory = tmp_path_factory.mktemp("desk")
    _, prepare, start, provision = (code for _, kind, code in blocks("README.md") if kind == "sh")
    run(["sh", "-euc", prepare], directory)
    options = f"--quiet --host {HOST} --https-port 443"
    anywhere = start.strip().replace("--admin-port 8444", "--admin-port 0")
    words = ["sh", "-c", f"exec {anywhere} {options}"]
    ready = directory / "ready.json"
    with subprocess.Popen(words, cwd=directory, env=variables()) as emulator:
        try:
            ends = time.monotonic() + PATIENCE
            while not ready.exists() and emulator.poll() is None and time.monotonic() < ends:
                time.sleep(0.1)

            assert json.loads(ready.read_text())["mqtt_port"] == 8883
            run(["sh", "-euc", here(provision)], directory)
            yield directory
        finally:
            emulator.terminate()


@pytest.mark.parametrize(
    ("section", "kind", "code"),
    [
        pytest.param(*block, id=f"{index} {block[0]}")
        for page in ("clients.md", "enrollments.md", "admin.md")
        for index, block in enumerate(blocks(page))
    ],
)
def test_each_block_runs_as_it_stands(
    dispatcher: Path, section: str, kind: str, code: str
) -> None:
    """It prints what it was to find out: which hub its device belongs to, and the like."""
    match kind:
        case "sh":
            words = ["sh", "-euc"]
        case "js":
            environment("node")
            words = ["node", "-e"]
        case _:
            words = [python_for(section), "-c"]

    assert PRINTS.get(section, "emulated-hub.azure-devices.net") in run(
        [*words, here(code)], dispatcher
    )


def python_for(section: str) -> str:
    """Find the Python that has the client of a section."""
    name = ENVIRONMENTS.get(section)
    return sys.executable if name is None else str(environment(name) / "bin" / "python")
