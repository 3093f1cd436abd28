"""`dps`: the emulator in an environment and a process of its own.

For suites with azure-iot-device, which needs paho-mqtt 1, while aiodps needs 2.
"""

import json
import os
import shlex
import subprocess

import pytest

PIPX = "pipx run --spec 'aiodps[emulator,cli]' aiodps"
EMULATOR = shlex.split(os.environ.get("EMULATOR", PIPX))
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture(scope="session")
def dps(tmp_path_factory):
    """Run the emulator with one device, `lamp-7`; give what it says about itself."""
    key = tmp_path_factory.mktemp("dps") / "lamp-7.key"
    key.write_text(KEY)
    options = ["--json", "--quiet", "--https-port", "0", "--device-key", f"lamp-7={key}"]
    command = [*EMULATOR, "emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline()) | {"key": KEY}
        finally:
            process.terminate()
