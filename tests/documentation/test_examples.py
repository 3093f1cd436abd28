"""The examples are programs that do what they say."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tests.documentation.blocks import ROOT
from tests.documentation.commands import check, commands
from tests.documentation.reader import lead_to

from aiodps.pki import Authority
from aiodps.testing import DeviceFactory, RunningEmulator, running

EXAMPLES = ROOT / "docs" / "examples"
GROUP_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SHELL = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def service(dps_ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An emulator with a group for certificates and one for keys."""
    signing = {"primary": {"certificate": dps_ca.certificate_pem.decode()}}
    certificates = {"type": "x509", "x509": {"signingCertificates": signing}}
    keys = {"primaryKey": GROUP_KEY, "secondaryKey": GROUP_KEY}
    with running(ca=dps_ca, directory=tmp_path_factory.mktemp("dps")) as dps:
        dps.enroll({"enrollmentGroupId": "batch", "attestation": certificates})
        mechanism = {"type": "symmetricKey", "symmetricKey": keys}
        dps.enroll({"enrollmentGroupId": "line-4", "attestation": mechanism})
        yield dps


@pytest.fixture
def settings(
    service: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunningEmulator:
    """The settings of a program, in its environment."""
    monkeypatch.chdir(tmp_path)
    lead_to(service, monkeypatch)
    monkeypatch.setenv("AIODPS_PORT", str(service.mqtt_port))
    monkeypatch.setenv("AIODPS_ID_SCOPE", service.id_scope)
    return service


@pytest.mark.sockets
def test_the_device_finds_its_hub_and_keeps_it(
    settings: RunningEmulator, dps_ca: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It registers at its first start, and not at its second."""
    make = DeviceFactory(settings, ca=dps_ca, directory=tmp_path)
    press = make("press-1", enrolled=False)
    monkeypatch.setenv("AIODPS_CERTIFICATE", str(press.certificate_file))
    monkeypatch.setenv("AIODPS_PRIVATE_KEY", str(press.key_file))
    main = runpy.run_path(str(EXAMPLES / "device_app.py"))["main"]
    for _ in range(2):
        anyio.run(main, str(tmp_path / "cache"))

    assert settings.register_requests("press-1") == 1


@pytest.mark.sockets
@pytest.mark.slow
def test_the_service_provisions_devices(
    settings: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers with the hub, or with the error and a status that fits."""
    (tmp_path / "line-4.key").write_text(GROUP_KEY)
    monkeypatch.setenv("GROUP_KEY_FILE", "line-4.key")
    names = runpy.run_path(str(EXAMPLES / "onboarding_service.py"))
    good, bad = anyio.run(post, names["app"], "/devices/lamp-7", "/devices/no%20id")

    assert (good.status_code, good.json()["assigned_hub"]) == (200, settings.hub)
    assert (bad.status_code, bad.json()["error"]) == (422, "ConfigurationError")


async def post(web: Any, *paths: str) -> list[httpx.Response]:
    """Post to a web application."""
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
        return [await client.post(path, json={"model": "T-1"}) for path in paths]


@pytest.mark.processes
def test_a_batch_is_registered_once(
    service: RunningEmulator, dps_ca: Authority, tmp_path: Path
) -> None:
    """Also if the script is run again."""
    (tmp_path / "ca.pem").write_bytes(dps_ca.certificate_pem)
    (tmp_path / "ca_key.pem").touch(mode=0o600)
    (tmp_path / "ca_key.pem").write_bytes(dps_ca.private_key_pem)
    (tmp_path / "serials.txt").write_text("sn-1\nsn-2\n")
    files = ("serials.txt", "ca.pem", "ca_key.pem", "batch-17")
    place = ("--endpoint", service.host, "--trust", str(service.ca_file))
    port = ("--rest-port", str(service.https_port))
    env = os.environ | SHELL | {"AIODPS_ID_SCOPE": service.id_scope}
    for _ in range(2):
        script = ["sh", str(EXAMPLES / "factory_batch.sh"), *files, *place, *port]
        subprocess.run(script, cwd=tmp_path, env=env, check=True, timeout=60)

    assert (tmp_path / "batch-17" / "assignments.csv").read_text().count(service.hub) == 2
    assert [service.register_requests(name) for name in ("sn-1", "sn-2")] == [1, 1]


@pytest.mark.processes
def test_the_suite_of_the_product_passes() -> None:
    """In a pytest of its own."""
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lamp.py"]
    done = subprocess.run(
        [*suite, "--rootdir", "."],
        cwd=EXAMPLES / "product",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "4 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "file", ["github-actions.yml", "kubernetes.yaml", "container/compose.yaml", "factory_batch.sh"]
)
def test_their_commands_exist(file: str) -> None:
    """With the options that they are given."""
    text = (EXAMPLES / file).read_text("utf-8")
    contained = re.findall(r"command: >-\n((?: {6}.+\n)+)", text)
    found = [*commands(text), *map(shlex.split, contained)]

    assert found
    for words in found:
        check(words)
