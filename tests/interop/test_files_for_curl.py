"""Files that curl, and with it OpenSSL, provisions a device with: aiodps takes each of them.

What curl refuses may be taken or refused; but it ends soon, in an error of ours without the key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import anyio
import pytest
from tests import certificates as kit
from tests.emulated import PATIENCE, client, emulator
from tests.interop.file_variants import EDITS, Variant, device, variants

import aiodps
from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.store import EnrollmentGroup

pytestmark = [
    pytest.mark.processes,
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

PARTS: Final = 4
"""Tests that share the variants, for as many processes."""


@asynccontextmanager
async def service() -> AsyncIterator[Emulator]:
    """Run an emulator that knows every device under the test root."""
    group = EnrollmentGroup.signed_by(kit.root().certificate, enrollment_group_id="all")
    with anyio.fail_after(PATIENCE):
        async with emulator(enrollments=[group]) as dps:
            yield dps


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore::aiodps.InsecureKeyFileWarning")
async def test_what_curl_takes_is_provisioned(part: int, tmp_path: Path) -> None:
    """As certificate and key of a device."""
    taken, refused = 0, []
    async with service() as dps:
        (tmp_path / "ca.pem").write_bytes(dps.ca_pem)
        for variant in islice(variants(), part, None, PARTS):
            write(variant, tmp_path)
            by_curl = await curl(dps, variant, tmp_path)
            error = await provision(dps, variant, tmp_path)
            taken += by_curl
            if error is not None:
                assert not shows_key(str(error), variant), variant.name
                refused += [f"{variant.name}: {error}"] if by_curl else []

    assert not refused
    assert taken > 20


async def test_cas_that_curl_takes_are_trusted(tmp_path: Path) -> None:
    """As the file of the service's CA."""
    taken, refused = 0, []
    known = device("prime256v1")
    variant = Variant("", "device-prime256v1", known.certificate_pem, known.private_key_pem)
    write(variant, tmp_path)
    ca = tmp_path / "ca.pem"
    async with service() as dps:
        for edited, edit in EDITS.items():
            ca.write_bytes(edit(dps.ca_pem + kit.other_root().certificate_pem))
            by_curl = await curl(dps, variant, tmp_path)
            error = await provision(dps, variant, tmp_path, trust=ca)
            taken += by_curl
            refused += [f"{edited}: {error}"] if by_curl and error is not None else []

    assert not refused
    assert taken > 10


def write(variant: Variant, folder: Path) -> None:
    """Write the files of a variant."""
    for name, data in (("d.crt", variant.certificate), ("d.key", variant.key or b"")):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(data)


async def curl(dps: Emulator, variant: Variant, folder: Path) -> bool:
    """Return whether curl registers the device."""
    certificate_type, key_type = variant.types
    url = f"https://{dps.host}:{dps.https_port}/{dps.id_scope}/registrations/{variant.device}"
    command = [
        *("curl", "-sS", "--cacert", folder / "ca.pem", "--pass", variant.password.decode()),
        *("--cert", folder / "d.crt", "--cert-type", certificate_type),
        *("--key", folder / ("d.crt" if variant.key is None else "d.key")),
        *("--key-type", key_type, "-X", "PUT", "-d", "{}", "-o", "/dev/null"),
        *("-H", "Content-Type: application/json", "-w", "%{http_code}"),
        f"{url}/register?api-version=2021-10-01",
    ]
    done = await anyio.run_process([str(word) for word in command], check=False)
    return done.returncode == 0 and done.stdout == b"202"


async def provision(
    dps: Emulator, variant: Variant, folder: Path, *, trust: Path | None = None
) -> aiodps.ProvisioningError | None:
    """Provision the device, over REST as curl; return why it failed."""
    key = None if variant.key is None else folder / "d.key"
    settings = {} if trust is None else {"trust": trust}
    try:
        held = aiodps.X509.from_files(folder / "d.crt", key, password=variant.password)
        await client(dps, "rest", **settings).provision(attestation=held)
    except aiodps.ProvisioningError as error:
        return error

    return None


def shows_key(text: str, variant: Variant) -> bool:
    """Return whether a line of any file is repeated; certificates have the same form as keys."""
    lines = (variant.certificate + (variant.key or b"")).splitlines()
    return any(len(line) > 20 and line.decode("latin1").strip() in text for line in lines)
