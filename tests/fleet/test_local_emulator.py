"""A run's emulator and its files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fleet.fleets import options

from aiodps.attestation.credentials import Credentials
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
    assert Credentials(device.attestation).registration_id == "device-00000"
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
        https, mqtt = facts["https_port"], facts["mqtt_port"]
        assert there.ports == {"rest": https, "mqtt": mqtt, "mqtt-ws": https}
        assert (there.settings.id_scope, there.settings.endpoint) == (
            facts["id_scope"],
            facts["host"],
        )
        with local_emulator.running() as same:
            assert same == facts

    assert not alive(facts["pid"])
    with local_emulator.running() as other:
        assert other["pid"] != facts["pid"]


def test_its_page(tmp_path: Path) -> None:
    """With an admin port, its address is known, token included; without, there is none."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    ready = local_emulator.folder / "emulator.json"
    plain = {"pid": 1, "id_scope": "0ne", "https_port": 1, "mqtt_port": 2}
    ready.write_text(json.dumps(plain))
    assert local_emulator._facts()["admin_page"] is None
    there = {"admin_url": "http://evil.test:8123", "admin_token": "a&b"}
    ready.write_text(json.dumps(plain | there))
    assert local_emulator._facts()["admin_page"] == "http://127.0.0.1:8123/?token=a%26b"


def test_an_emulator_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Its error is in the message, and nothing is left."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    with (
        pytest.raises(ConfigurationError, match="no-such-option"),
        local_emulator.running(no_such_option=1),
    ):
        pass


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"pid": 1}', '{"pid": "x"}', "[" * 100_000])
def test_a_ready_line_of_somebody_elses(tmp_path: Path, facts: str) -> None:
    """It is not believed: another emulator is started."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    (local_emulator.folder / "emulator.json").write_text(facts)

    assert local_emulator._left_behind() is None


def test_a_process_named_by_somebody_else_is_not_killed(tmp_path: Path) -> None:
    """Nor is a host believed that is not on loopback."""
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.create()
    facts = {"pid": 0, "id_scope": "0ne", "https_port": 1, "mqtt_port": 2, "host": "evil.test"}
    words = [
        sys.executable,
        "-c",
        "print('there', flush=True); input()",
        str(local_emulator.folder),
    ]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ready = local_emulator.folder / "emulator.json"
        ready.write_text(json.dumps({**facts, "pid": process.pid}))
        assert local_emulator._left_behind() is None
        assert local_emulator._facts()["host"] == "127.0.0.1"
        assert process.poll() is None
        process.kill()


@pytest.mark.parametrize("name", ["emulator.log", "emulator.json", "enrollments.json"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    """A folder with one is refused before the emulator is started."""
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.folder.mkdir()
    (local_emulator.folder / name).symlink_to(theirs)
    for use in (local_emulator.create, local_emulator.running().__enter__):
        with pytest.raises(ConfigurationError):
            use()

    assert theirs.read_text() == "theirs"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """What it leads to is somebody else's."""
    (tmp_path / "theirs").mkdir()
    local_emulator = LocalEmulator.for_run(tmp_path / "a")
    local_emulator.folder.symlink_to("theirs")
    with pytest.raises(ConfigurationError, match="is a link"):
        local_emulator.create()

    assert list((tmp_path / "theirs").iterdir()) == []
