"""What works where Linux's own things are missing, as on macOS and Windows.

The things are taken away here. That nothing else is different there is not shown.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from tests.emulated import DEVICES, attestation, client, emulator
from tests.proactor import WITHOUT_READERS

import aiodps
from aiodps.assignments.cache_file import Miss, read_entry, write_entry
from aiodps.cli import emulator as emulator_command
from aiodps.emulator import Emulator
from aiodps.fleet import runs
from aiodps.fleet.journal.journal import Journal
from aiodps.fleet.measure import generator_load
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read

MISSING = (
    *("memfd_create", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"),
    *("geteuid", "sched_getaffinity", "sysconf"),
)
"""Names of `os` that Windows does not have."""


@pytest.fixture
def less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what Windows does not have: names of `os`, folders as files, and `fcntl`."""
    for name in MISSING:
        monkeypatch.delattr(os, name)

    really = os.open

    def no_folders(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", path)

        return really(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", no_folders)
    monkeypatch.setattr(runs, "fcntl", None)


@pytest.mark.usefixtures("less")
@pytest.mark.sockets
def test_a_loop_that_does_not_watch_sockets() -> None:
    """Device and emulator: a certificate is loaded from a file, and a thread waits for sockets.

    MQTT is spoken by the native session; that of aiomqtt is refused before anything is sent.
    """

    async def provision() -> list[str]:
        async with emulator() as dps:
            device = attestation(DEVICES["root"])
            with pytest.raises(aiodps.ConfigurationError, match="does not watch sockets"):
                await client(dps, "mqtt", mqtt_session="aiomqtt").provision(attestation=device)

            assigned = [
                await client(dps, transport).provision(attestation=device)
                for transport in ("rest", "mqtt", "mqtt-ws")
            ]
            return [assignment.transport for assignment in assigned]

    assert anyio.run(provision, backend_options=WITHOUT_READERS) == ["rest", "mqtt", "mqtt-ws"]


@pytest.mark.usefixtures("less")
def test_files(tmp_path: Path) -> None:
    """They are written durably, read, and not taken for another user's."""
    write_entry(tmp_path / "cache" / "assignment", "stored")
    (tmp_path / "cache" / "assignment").chmod(0o666)  # what Windows says of any file
    path = tmp_path / "key.pem"
    path.write_bytes(b"key\r\n")

    assert read_entry(tmp_path / "cache" / "assignment") == b"stored"
    assert isinstance(read_entry(tmp_path / "cache"), Miss)
    assert read(Origin.file(path, what="key", kind="private_key")) == b"key\r\n"


@pytest.mark.usefixtures("less")
def test_a_fleet_knows_less_of_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journals and folders are used all the same; limits are neither known nor raised."""
    with runs.locked(tmp_path):
        Journal.create(tmp_path / "journals" / "0", run_id="r", shard=0, entries=[]).close()

    monkeypatch.delattr(generator_load, "resource")
    monkeypatch.setattr("sys.platform", "win32")
    generator_load.raise_fd_limit(1_000_000)
    assert generator_load.fd_limit() == 0


@pytest.mark.usefixtures("less")
@pytest.mark.sockets
def test_the_emulator_keeps_its_state(tmp_path: Path) -> None:
    """In a file, as everywhere."""

    async def run() -> str:
        async with Emulator(state=tmp_path / "state") as dps:
            return dps.id_scope

    assert anyio.run(run) == anyio.run(run)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt: shells ignore it in what they start in the background, as this suite."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.sockets
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("told", "handles_signals"),
    [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGINT, False)],
)
def test_ctrl_c_ends_the_emulator(
    told: signal.Signals,
    handles_signals: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With its files, whether the event loop handles signals or not."""
    if not handles_signals:
        run = anyio.run
        monkeypatch.setattr(
            "anyio.run", lambda *words: run(*words, backend_options=WITHOUT_READERS)
        )

    ready = tmp_path / "ready.json"
    seen: list[bool] = []

    def welcome(*_: object) -> None:
        seen.append(ready.exists())
        signal.raise_signal(told)

    monkeypatch.setattr(emulator_command, "_welcome", welcome)
    words = ("--https-port", "0", "--mqtt-port", "0", "--ready-file", str(ready))
    done = CliRunner().invoke(emulator_command.command, words)

    assert (done.exit_code, seen, ready.exists()) == (0, [True], False)
