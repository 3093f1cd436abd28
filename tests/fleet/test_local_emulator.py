"""A run's emulator and its files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.fleet.fleets import options

from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.errors import ConfigurationError
from aiodps.fleet.local_emulator import LocalEmulator, with_address

pytestmark = pytest.mark.sockets


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False

    return True


def test_nothing_secret_is_in_the_run_folder(tmp_path: Path) -> None:
    """The CA's key lies next to the run folder, readable by its owner only, and is removed."""
    run = tmp_path / "a"
    run.mkdir()
    local_emulator = LocalEmulator.for_run(run)
    local_emulator.create()
    (device,) = local_emulator.devices(1).load([0])

    assert list(run.iterdir()) == []
    assert local_emulator.folder == tmp_path / "a.emulator"
    assert stat.S_IMODE(local_emulator.folder.stat().st_mode) == 0o700
    assert device.attestation.registration_id == "device-00000"
    (other,) = local_emulator.devices(1, with_keys=True).load([0])
    assert isinstance(other.attestation, SymmetricKey)
    key = (local_emulator.folder / "device-root_key.pem").read_bytes()
    local_emulator.create()
    assert (local_emulator.folder / "device-root_key.pem").read_bytes() == key
    local_emulator.remove()
    assert not local_emulator.folder.exists()


def test_the_emulator_ends_with_the_block(tmp_path: Path) -> None:
    """It is where its ready line says; one that a killed run left behind is used again."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    with local_emulator.running(retry_after=1, assign_after=None) as facts:
        assert alive(facts["pid"])
        there = with_address(options(), facts)
        assert there.ports == {"rest": facts["https_port"], "mqtt": facts["mqtt_port"]}
        assert (there.settings.id_scope, there.settings.endpoint) == (
            facts["id_scope"],
            facts["host"],
        )
        with local_emulator.running() as same:
            assert same == facts

    assert not alive(facts["pid"])
    with local_emulator.running() as other:
        assert other["pid"] != facts["pid"]


def test_an_emulator_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Its last words are in the message, and nothing is left."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    with (
        pytest.raises(ConfigurationError, match="no-such-option"),
        local_emulator.running(no_such_option=1),
    ):
        pass
