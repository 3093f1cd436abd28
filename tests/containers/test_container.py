"""The image of docs/examples/container, built and run by buildah: there is no engine.

The base is a Debian of `debootstrap`, and the wheels are those that `nox -s container` has made, so
no registry of images is asked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.paths.real_proxies import within
from tests.paths.site import DEVICE, SERVICE, command

pytestmark = pytest.mark.container
RECIPE = Path(__file__).parents[2] / "docs" / "examples" / "container"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
USER = 1000
HERE, THERE = f"aiodps-{os.getpid()}-d", f"aiodps-{os.getpid()}-s"
"""Network namespaces: of the device, and of the emulator."""
WAIT = 300.0
"""Seconds that buildah may take; each step copies the whole file system."""


class Container:
    """A container of the image; its commands run in the network namespace that each names."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.state, self.shared = folder / "state", folder / "shared"
        for each in (self.state, self.shared):
            each.mkdir()
            os.chown(each, USER, USER)

        (self.shared / "sensor-8.key").write_text(KEY)
        places = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))
        self._buildah = ["buildah", *places, "--storage-driver", "vfs"]
        self.config = self._build(work)
        self._name = self.buildah("from", "localhost/aiodps")

    def _build(self, work: Path) -> Any:
        scratch = self.buildah("from", "scratch")
        self.buildah("add", "-q", scratch, str(work / "debian"), "/")
        self.buildah("commit", "-q", "--rm", scratch, "localhost/debian")
        wheels = ("--volume", f"{work / 'wheels'}:/wheels:ro")
        given = ("BASE=localhost/debian", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels")
        arguments = (word for each in given for word in ("--build-arg", each))
        how = ("--format", "docker", "--isolation", "chroot", *wheels, *arguments)
        self.buildah("build", "-q", *how, "-t", "localhost/aiodps", str(RECIPE))
        image = self.buildah("inspect", "--type", "image", "localhost/aiodps")
        return json.loads(image)["Docker"]["config"]

    def buildah(self, *words: str) -> str:
        """Run buildah to its end; return what it prints."""
        done = subprocess.run(
            [*self._buildah, *words], check=True, stdout=subprocess.PIPE, text=True, timeout=WAIT
        )
        return done.stdout.strip()

    def words(self, namespace: str, *program: str, **variables: str) -> list[str]:
        """Return what runs a program in the container."""
        volumes = ("-v", f"{self.state}:/state", "-v", f"{self.shared}:/shared")
        env = [word for each in variables.items() for word in ("-e", "=".join(each))]
        run = [*self._buildah, "run", "--isolation", "chroot", *volumes, *env, self._name]
        return within(namespace, [*run, "--", *program])

    def run(self, namespace: str, *program: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the container to its end."""
        words = self.words(namespace, *program)
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=WAIT)

    @contextmanager
    def emulator(self) -> Iterator[dict[str, Any]]:
        """Run what the image runs, until the block ends; it must end cleanly."""
        consent = {"AIODPS_EMULATOR_I_KNOW_THIS_IS_NOT_SECURE": "1"}
        device = {"AIODPS_EMULATOR_DEVICE_KEY": "sensor-8=/shared/sensor-8.key"}
        name = {"AIODPS_EMULATOR_TLS_NAME": "dps", "AIODPS_EMULATOR_JSON": "1"}
        program = (*self.config["Entrypoint"], *self.config["Cmd"])
        words = self.words(THERE, *program, **consent, **device, **name)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            facts = json.loads(process.stdout.readline())
            try:
                yield facts
            finally:
                os.kill(facts["pid"], signal.SIGTERM)

            assert process.wait(WAIT) == 0

    def device(self, *words: str) -> Any:
        """Run a command of a device in the other namespace; return its JSON."""
        service = ("--endpoint", "dps", "--address", SERVICE, "--trust", "/shared/ca.pem")
        who = ("--registration-id", "sensor-8", "--symmetric-key-file", "/shared/sensor-8.key")
        scope = ("--id-scope", "0ne00000000", "--json")
        done = self.run(HERE, "aiodps", *words, *service, *who, *scope)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def healthy(self) -> bool:
        """Run the health check of the image."""
        kind, *check = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(THERE, *check).returncode == 0


@pytest.fixture
def network() -> Iterator[None]:
    """Two namespaces and a cable between them."""
    with ExitStack() as stack:
        for namespace in (HERE, THERE):
            command("ip", "netns", "add", namespace)
            stack.callback(command, "ip", "netns", "del", namespace)
            command("ip", "-n", namespace, "link", "set", "lo", "up")

        ends = ("dps0", "netns", HERE, "type", "veth", "peer", "name", "dps0", "netns", THERE)
        command("ip", "link", "add", *ends)
        for namespace, address in ((HERE, DEVICE), (THERE, SERVICE)):
            command("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", "dps0")
            command("ip", "-n", namespace, "link", "set", "dps0", "up")

        yield


@pytest.mark.usefixtures("network")
def test_the_image(tmp_path: Path) -> None:
    """Healthy, provisioned against from another namespace, stopped, and restarted as it was."""
    container = Container(tmp_path, Path(os.environ["AIODPS_CONTAINER"]))
    assert container.config["User"] == "aiodps"
    assert not container.healthy()
    with container.emulator() as facts:
        assert container.healthy()
        assert facts["connection_string"].startswith("HostName=dps:8443;")
        provisioned = container.device("provision", "--transport", "mqtt", "--port", "8883")
        assert provisioned["assigned_hub"] == facts["hub"]
        admin = f"from urllib.request import urlopen; urlopen('http://{SERVICE}:8444/healthz')"
        assert "refused" in container.run(HERE, "/opt/aiodps/bin/python", "-c", admin).stderr

    assert not container.healthy()
    with container.emulator():  # clients still trust its CA, and it knows the device
        assert container.healthy()
        known = container.device("status", "--port", "8443")
        assert known["assigned_hub"] == facts["hub"]
