"""A TPM in hardware, as a device has it: provisioning with swtpm, and what is wrong in words."""

from __future__ import annotations

import base64
import hmac
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from click.testing import CliRunner
from tests.attestation_kinds import client_of
from tests.leftovers import descriptors

from aiodps import Tpm, errors
from aiodps.cli.app import app
from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.testing import RunningEmulator
from aiodps.tpm.hardware import HardwareTpm

if TYPE_CHECKING:  # it needs tpm2-pytss
    from tests.tpm.simulator import Swtpm

pytestmark = pytest.mark.anyio
KEY = bytes(range(32))


async def test_without_tpm2_pytss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.delitem(sys.modules, "aiodps.tpm.commands", raising=False)
    monkeypatch.setitem(sys.modules, "tpm2_pytss", None)
    with pytest.raises(errors.TpmError, match="not installed") as missing:
        await HardwareTpm.load()

    assert missing.value.reason == "package"
    assert "aiodps[tpm]" in missing.value.hint


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"tcti": 7}, "tcti"),
        ({"owner_auth": "text" * 2}, "owner_auth"),
        ({"endorsement_auth": None}, "endorsement_auth"),
        ({"endorsement_auth": b"text" * 17}, "endorsement_auth"),
        ({"identity_handle": 0x80000000}, "identity_handle"),
    ],
)
async def test_bad_arguments(arguments: dict[str, Any], setting: str) -> None:
    """They are refused before a TPM is looked for; no password is shown."""
    with pytest.raises(errors.ConfigurationError) as refused:
        await HardwareTpm.load(**arguments)

    shown = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    assert refused.value.setting == setting
    assert "texttext" not in "".join(part for part in shown.format() if __file__ not in part)


def enroll(dps: RunningEmulator, tpm: HardwareTpm, name: str) -> None:
    """Enrol a device by its endorsement key."""
    key = base64.b64encode(tpm.endorsement_key).decode()
    attestation = {"type": "tpm", "tpm": {"endorsementKey": key}}
    dps.enroll({"registrationId": name, "attestation": attestation})


@pytest.mark.swtpm
async def test_it_provisions(swtpm: Swtpm, dps: RunningEmulator) -> None:
    """Over REST, and again; two register requests each, and no connection is left."""
    tpm = await HardwareTpm.load(swtpm.tcti)
    attestation = Tpm(tpm)
    enroll(dps, tpm, attestation.registration_id)
    for times in (1, 2):
        assigned = await client_of(dps, "rest").provision(attestation=attestation)

        assert assigned.registration_id == attestation.registration_id
        assert dps.register_requests(attestation.registration_id) == 2 * times
        assert len(await tpm.sign(b"text")) == 32  # with the hub's key


@pytest.mark.swtpm
async def test_a_tpm_that_is_not_enrolled(
    swtpm: Swtpm, other: Swtpm, dps: RunningEmulator
) -> None:
    """Neither by its own registration id, nor by that of another TPM."""
    own, enrolled = await HardwareTpm.load(swtpm.tcti), await HardwareTpm.load(other.tcti)
    enroll(dps, enrolled, "enrolled")
    with pytest.raises(errors.NotFoundError):
        await client_of(dps, "rest").provision(attestation=Tpm(own))

    with pytest.raises(errors.UnauthorizedError):
        await client_of(dps, "rest").provision(attestation=Tpm(own, registration_id="enrolled"))


@pytest.mark.swtpm
async def test_a_challenge_for_another_tpm(swtpm: Swtpm, other: Swtpm) -> None:
    """Another endorsement key or another storage root key; afterwards it takes its own."""
    own, foreign = await HardwareTpm.load(swtpm.tcti), await HardwareTpm.load(other.tcti)
    for keys in (
        (own.endorsement_key, foreign.storage_root_key),
        (foreign.endorsement_key, own.storage_root_key),
    ):
        with pytest.raises(errors.TpmError) as refused:
            await own.activate(challenge(*keys, key=KEY))

        assert refused.value.reason in {"activation", "failure_mode"}
        swtpm.restart()

    await own.activate(challenge(own.endorsement_key, own.storage_root_key, key=KEY))

    assert await own.sign(b"text") == hmac.digest(KEY, b"text", "sha256")


@pytest.mark.swtpm
@pytest.mark.parametrize("hierarchy", ["owner", "endorsement"])
async def test_wrong_passwords(swtpm: Swtpm, hierarchy: str) -> None:
    """Making a key needs them, and so does a challenge; the right one is taken."""
    set_password(swtpm, hierarchy, b"right")
    passwords: dict[str, Any] = {f"{hierarchy}_auth": b"right"}
    wrong_ones: dict[str, Any] = {f"{hierarchy}_auth": b"wrong"}
    with pytest.raises(errors.TpmError) as wrong:
        await HardwareTpm.load(swtpm.tcti, **wrong_ones)

    assert wrong.value.reason == "auth"
    right = await HardwareTpm.load(swtpm.tcti, **passwords)
    blob = challenge(right.endorsement_key, right.storage_root_key, key=KEY)
    for auths in ({}, wrong_ones):
        tpm = await HardwareTpm.load(swtpm.tcti, **auths)
        with pytest.raises(errors.TpmError) as refused:
            await tpm.activate(blob)

        assert refused.value.reason == "auth"

    await right.activate(blob)
    assert repr(right) == f"<HardwareTpm {swtpm.tcti!r}>"


def set_password(swtpm: Swtpm, hierarchy: str, password: bytes) -> None:
    """Give a hierarchy a password."""
    from tpm2_pytss import ESAPI, ESYS_TR, TCTILdr  # noqa: PLC0415 (an extra)

    with TCTILdr.parse(swtpm.tcti) as tcti, ESAPI(tcti) as esapi:
        esapi.hierarchy_change_auth(getattr(ESYS_TR, hierarchy.upper()), password)


@pytest.mark.swtpm
async def test_no_key_of_a_challenge(swtpm: Swtpm) -> None:
    """Nothing is signed before the first one."""
    tpm = await HardwareTpm.load(swtpm.tcti)
    with pytest.raises(errors.TpmError, match="no key of a challenge") as unsigned:
        await tpm.sign(b"")

    assert unsigned.value.reason == "sign"


@pytest.mark.swtpm
async def test_a_simulator_that_is_gone(tmp_path: Path) -> None:
    """There is no TPM at its TCTI."""
    from tests.tpm.simulator import simulator  # noqa: PLC0415 (needs tpm2-pytss)

    with simulator(tmp_path / "gone") as running:
        tpm = await HardwareTpm.load(running.tcti)

    with pytest.raises(errors.TpmError, match="no TPM at this TCTI") as gone:
        await tpm.sign(b"")

    assert gone.value.reason == "missing"


@pytest.mark.swtpm
async def test_calls_at_once_and_cancelled_ones(swtpm: Swtpm) -> None:
    """One connection at a time; a cancelled call leaves nothing, and the next one works."""
    tpm = await HardwareTpm.load(swtpm.tcti)
    blob = challenge(tpm.endorsement_key, tpm.storage_root_key, key=KEY)
    before = descriptors()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(tpm.activate, blob)

        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(tpm.activate, blob)

    assert await tpm.sign(b"text") == hmac.digest(KEY, b"text", "sha256")
    assert not {name for name in descriptors() - before if name.startswith("socket")}


@pytest.mark.swtpm
async def test_by_settings_alone(
    swtpm: Swtpm, dps: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCTI and passwords come from the environment."""
    set_password(swtpm, "owner", b"right")
    password = tmp_path / "owner"
    password.touch(mode=0o600)
    password.write_bytes(b"right\n")
    monkeypatch.setenv("AIODPS_TPM", swtpm.tcti)
    monkeypatch.setenv("AIODPS_TPM_OWNER_AUTH_FILE", str(password))
    tpm = await HardwareTpm.load(swtpm.tcti, owner_auth=b"right")
    enroll(dps, tpm, "pump-8")
    assigned = await client_of(dps, "rest").provision(registration_id="pump-8")

    assert assigned.registration_id == "pump-8"


@pytest.mark.swtpm
def test_the_command(swtpm: Swtpm, dps: RunningEmulator, tmp_path: Path) -> None:
    """`aiodps keys endorsement` for the enrollment, and `aiodps provision --tpm`."""
    shown = CliRunner().invoke(app, ["keys", "endorsement", "--tpm", swtpm.tcti, "--json"])
    facts = json.loads(shown.stdout)
    attestation = {"type": "tpm", "tpm": {"endorsementKey": facts["endorsement_key"]}}
    dps.enroll({"registrationId": facts["registration_id"], "attestation": attestation})
    (tmp_path / "ca.pem").write_bytes(dps.ca_pem)
    done = CliRunner().invoke(
        app,
        [
            *("provision", "--tpm", swtpm.tcti, "--json"),
            *("--id-scope", dps.id_scope, "--endpoint", dps.host),
            *("--port", str(dps.https_port), "--trust", str(tmp_path / "ca.pem")),
        ],
    )

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["registration_id"] == facts["registration_id"]
