"""The Python blocks of the pages are programs, and run as they are, against an emulator."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.documentation.blocks import PAGES, blocks, name
from tests.documentation.reader import lead_to

from aiodps.pki import Authority
from aiodps.testing import RunningEmulator, running

SCOPE = "0ne00012ABC"
NOT_RUN = {
    "docs/emulator/clients.md": "tests/interop runs it",
    "docs/emulator/enrollments.md": "tests/interop runs it",
    "docs/emulator/pytest.md": "tests/test_aiodps_pytest.py runs it",
    "docs/proxies.md": "tests/network runs proxies",
    "docs/fleet.md": "tests/fleet runs such fleets; a fleet connects to the service's own ports",
}
RUN = [page for page in PAGES if blocks(page, "python") and name(page) not in NOT_RUN]
POLICY = {
    "namespaceName": "namespace",
    "certificateAuthorityName": "authority",
    "certificatePolicyName": "policy",
}
"""Of certificates that are issued."""
CERTIFICATES = ("sensor-7", "sensor-9")


BEFORE = {
    "docs/look-up.md": """
import asyncio, aiodps
device = aiodps.X509.from_files("certs/sensor-7_chain.pem", "certs/sensor-7_key.pem")
asyncio.run(aiodps.provision(id_scope="0ne00012ABC", attestation=device))
"""
}
"""What the reader of a page has run before."""


@dataclass(frozen=True, slots=True)
class Service:
    """An emulator, and what the pages have in their folder."""

    dps: RunningEmulator
    files: dict[str, bytes]


def pems(ca: Authority, device: str, stem: str) -> dict[str, bytes]:
    """Issue a certificate to a device, and name its two files."""
    credential = ca.device(device)
    return {
        f"{stem}_chain.pem": credential.chain_pem,
        f"{stem}_key.pem": credential.private_key_pem,
    }


def csr(device: str) -> bytes:
    """Make a request for a certificate, in base64."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, device)])
    builder = x509.CertificateSigningRequestBuilder(subject)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return b64encode(request.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def service(dps_ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The pages' devices, enrolled."""
    directory = tmp_path_factory.mktemp("dps")
    own, group = (b64encode(secrets.token_bytes(64)).decode() for _ in range(2))
    with running(ca=dps_ca, directory=directory, id_scope=SCOPE) as dps:
        signing = {"primary": {"certificate": dps_ca.certificate_pem.decode()}}
        mechanism: dict[str, Any] = {"type": "x509", "x509": {"signingCertificates": signing}}
        dps.enroll({"enrollmentGroupId": "all", "attestation": mechanism})
        for named, key in (
            (("registrationId", "sensor-8"), own),
            (
                ("enrollmentGroupId", "line-4"),
                group,
            ),
        ):
            keys = {"primaryKey": key, "secondaryKey": key}
            mechanism = {"type": "symmetricKey", "symmetricKey": keys}
            dps.enroll({named[0]: named[1], "attestation": mechanism, **POLICY})

        press = pems(dps_ca, "press-4", "press-4")
        files = {
            **{
                f"certs/{file}": data
                for device in CERTIFICATES
                for file, data in pems(dps_ca, device, device).items()
            },
            **pems(dps_ca, "sensor-8", "new"),
            "press-4_chain.pem": press["press-4_chain.pem"],
            "press-4.pem": press["press-4_key.pem"],
            "sensor-8.key": own.encode(),
            "sensor-8.csr": csr("sensor-8"),
            "line-4.key": group.encode(),
            "ca.pem": dps.ca_pem,
        }
        yield Service(dps, files)


@pytest.fixture
def folder(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The folder of a reader, whose settings lead to the emulator."""
    for file, data in service.files.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(data)

    monkeypatch.chdir(tmp_path)
    lead_to(service.dps, monkeypatch)
    monkeypatch.setenv("AIODPS_CERTIFICATE", "certs/sensor-7_chain.pem")
    monkeypatch.setenv("AIODPS_PRIVATE_KEY", "certs/sensor-7_key.pem")
    monkeypatch.setenv("SENSOR_KEY", service.files["sensor-8.key"].decode())
    return service


@pytest.mark.sockets
@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_block_runs(page: Path, folder: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, in one folder; those of web frameworks are asked, too."""
    names: dict[str, Any] = {"__name__": "__main__"}
    before = BEFORE.get(name(page))
    for code in [*([before] if before else []), *blocks(page, "python")]:
        run(code, names, folder.dps, monkeypatch)

    if "app" in names:
        answer = ask(names["app"], "/devices/lamp-1")
        assert answer.json()["assigned_hub"] == folder.dps.hub


def run(
    code: str, names: dict[str, Any], dps: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a block; what it connects to is at ports of its own."""
    over_https = any(each in code for each in ('"rest"', '"mqtt-ws"', "registration_status"))
    monkeypatch.setenv("AIODPS_PORT", str(dps.https_port if over_https else dps.mqtt_port))
    if "http_transport" in code or "aiodps.Auto(" in code:
        monkeypatch.delenv("AIODPS_PORT")  # the transport has its own

    here = code
    for usual, actual in (
        ("8883", str(dps.mqtt_port)),
        ("8443", str(dps.https_port)),
        ("0ne00000000", SCOPE),
        ("REST()", f"REST(port={dps.https_port})"),
        ("websocket=True", f"websocket=True, port={dps.https_port}"),
    ):
        here = here.replace(usual, actual)

    exec(compile(here, "block", "exec"), names)  # noqa: S102 (our own pages)


def ask(app: Any, path: str) -> httpx.Response:
    """Post to a web application."""

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.post(path)

    return anyio.run(post)
