"""The credentials of a device: from the environment, from the caller, and refused."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.certificates import intermediate, write
from tests.emulated import DEVICES, QUICK, client, emulator

import aiodps
from aiodps import errors
from aiodps.attestation.memory_file import as_file

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_everything_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`await aiodps.provision()` with nothing but AIODPS_* around it."""
    chain, key = write(DEVICES["root"], tmp_path)
    async with emulator() as dps:
        (tmp_path / "ca.pem").write_bytes(dps.ca_pem)
        for name, value in {
            "ID_SCOPE": dps.id_scope,
            "ENDPOINT": dps.host,
            "PORT": str(dps.mqtt_port),
            "TRUST": str(tmp_path / "ca.pem"),
            "CERTIFICATE": str(chain),
            "PRIVATE_KEY": str(key),
            "TRANSPORT": "mqtt",
        }.items():
            monkeypatch.setenv(f"AIODPS_{name}", value)

        assignment = await aiodps.provision(retry=QUICK)

    assert (assignment.device_id, assignment.transport) == ("by-root-1", "mqtt")


@pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")],
)
async def test_callers_context(transport: str) -> None:
    """A context of the caller's is used as it is, and needs the registration id."""
    async with emulator() as dps:
        context = ssl.create_default_context(cadata=dps.ca_pem.decode())
        device = DEVICES["root"]
        with as_file(device.chain_pem + device.private_key_pem) as path:
            context.load_cert_chain(path)

        ready = aiodps.X509.from_context(context)
        plain = client(dps, transport, trust=None)
        assignment = await plain.provision(attestation=ready, registration_id=device.name)
        with pytest.raises(errors.ConfigurationError) as nameless:
            await plain.provision(attestation=ready)

        with pytest.raises(errors.ConfigurationError) as double:
            await client(dps, transport).provision(attestation=ready, registration_id=device.name)

    assert assignment.device_id == device.name
    assert nameless.value.setting == "registration_id"
    assert double.value.setting == "trust"


async def test_a_refusal_repeats_what_is_odd_about_the_certificate() -> None:
    """A hole in the chain is no error before anything is sent, and the reason of most refusals."""
    device = intermediate().intermediate("deep").device("deep-1")
    pem = device.certificate_pem + intermediate().certificate_pem
    odd = aiodps.X509.from_bytes(certificate=pem, private_key=device.private_key_pem)
    async with emulator() as dps:
        with pytest.raises(errors.UnauthorizedError) as caught:
            await client(dps, "rest").provision(attestation=odd)

    assert "the chain has a hole: 'CN=deep-1' was issued by 'CN=deep'" in caught.value.hint
