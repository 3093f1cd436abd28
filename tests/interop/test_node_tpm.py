"""TPM attestation of Microsoft's azure-iot-provisioning-device for Node.js, unmodified.

Its TPM is one in software, in its script, written from TCG's specification: it knows nothing of
`aiodps.tpm`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.certificates import rsa_key
from tests.interop.harness import Client, emulator, run, variables

from aiodps.tpm.structures import ENDORSEMENT_KEY_TEMPLATE, endorsement_key

pytestmark = pytest.mark.interop
CLIENT = Client(command=("node_tpm.js",), environment="node", fixed_ports=True)


def test_it_is_assigned(tmp_path: Path) -> None:
    """It reads the challenge and the hub's key, and sends two register requests."""
    modulus = rsa_key(2048).public_key().public_numbers().n.to_bytes(256)
    answer, registers = anyio.run(provision, tmp_path, endorsement_key(modulus))

    assert answer == {
        "status": "assigned",
        "hub": "emulated-hub.azure-devices.net",
        "device_id": "tpm-1",
    }
    assert registers == 2


def test_it_is_not_the_enrolled_one(tmp_path: Path) -> None:
    """It gets no challenge, and says so."""
    answer, registers = anyio.run(provision, tmp_path, ENDORSEMENT_KEY_TEMPLATE)

    assert "did NOT respond with an appropriately formatted" in str(answer.get("error")), answer
    assert registers == 1


async def provision(directory: Path, enrolled: bytes) -> tuple[Mapping[str, Any], int]:
    """Run it; return what it prints, and how many register requests it sent."""
    attestation = {
        "type": "tpm",
        "tpm": {"endorsementKey": base64.b64encode(enrolled).decode()},
    }
    async with emulator(CLIENT, [{"registrationId": "tpm-1", "attestation": attestation}]) as dps:
        env = variables(dps, directory) | {
            "DPS_REGISTRATION_ID": "tpm-1",
            "DPS_ENDORSEMENT_KEY_FILE": write(directory / "ek.pem", rsa_key(2048)),
            "DPS_STORAGE_ROOT_KEY_FILE": write(directory / "srk.pem", rsa_key(2048)),
        }
        answer = await run(CLIENT.words, env)
        return answer, dps.counts.register_requests.get("tpm-1", 0)


def write(path: Path, key: rsa.RSAPrivateKey) -> str:
    """Write a private key; return its path."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)
