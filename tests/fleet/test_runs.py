"""A run from its folder's point of view."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.certificates import root, write
from tests.fleet.fleets import with_address
from tests.fleet.plan.test_manifest_devices import listed
from tests.fleet.plan.test_run_file import run_of
from tests.fleet.report.test_results import run_folder
from tests.fleet.servers import Server, server

from aiodps.errors import ConfigurationError, JournalError
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.manifest import ManifestError
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.run.launch import Stop
from aiodps.fleet.runs import create_run, locked, merge, resume_run

pytestmark = pytest.mark.sockets

resumed = functools.partial(resume_run, executor=ThreadPoolExecutor)


def factory_run(dps: Server, folder: Path, *, shards: int = 1, bad: bool = False) -> RunFile:
    """Make a run of four listed devices."""
    rows: list[dict[str, object]] = []
    for number in range(4):
        place = folder / f"dev-{number}"
        place.mkdir()
        certificate, key = write(root().device(f"dev-{number}"), place)
        rows.append(
            {
                "registration_id": f"dev-{number}",
                "certificate": str(certificate),
                "private_key": str(key),
            }
        )

    if bad:
        rows[2]["certificate"] = rows[1]["certificate"]

    options = with_address(dps.emulator, folder, shards=shards)
    return dataclasses.replace(run_of(listed(folder, *rows)), options=options)


def test_a_batch(tmp_path: Path) -> None:
    """From a list to assignments; going on with a run that is complete changes nothing."""
    out = tmp_path / "out"
    with server() as dps:
        create_run(out, factory_run(dps, tmp_path))
        results = resumed(out, Stop())
        again = resumed(out, Stop())
        assert dps.emulator.counts.register_requests == {f"dev-{n}": 1 for n in range(4)}

    assert results.complete
    assert [one.outcome for one in results.samples] == [Outcome.ASSIGNED] * 4
    assert again.samples == results.samples


def test_nothing_is_sent_if_one_device_is_bad(tmp_path: Path) -> None:
    """All are checked before the first begins."""
    with server() as dps:
        with pytest.raises(ManifestError, match="line 3"):
            create_run(tmp_path / "out", factory_run(dps, tmp_path, bad=True))

        assert not (tmp_path / "out").exists()
        assert not dps.emulator.counts.register_requests


def test_shards_that_run_apart_are_merged(tmp_path: Path) -> None:
    """Each in a folder of its own; together they are the run, and it may be gone on with."""
    parts = [tmp_path / "part-0", tmp_path / "part-1"]
    with server() as dps:
        run = factory_run(dps, tmp_path, shards=2)
        for shard, part in enumerate(parts):
            create_run(part, run, shards=[shard])
            alone = resumed(part, Stop())
            assert not alone.complete
            assert len(alone.samples) == 2
            # The other shard is on another machine: going on here must not run it.
            assert resumed(part, Stop()).samples == alone.samples

        results = merge(tmp_path / "all", parts)
        assert resumed(tmp_path / "all", Stop()).samples == results.samples
        assert dps.emulator.counts.register_requests == {f"dev-{n}": 1 for n in range(4)}

    assert results.complete
    assert [one.registration_id for one in results.samples] == [f"dev-{n}" for n in range(4)]


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    """Other runs' shards, and a shard that is there twice."""
    first, second = run_folder(tmp_path / "a"), run_folder(tmp_path / "b")
    with pytest.raises(ConfigurationError, match="shard 0 is in"):
        merge(tmp_path / "all", [first, second])

    run = RunFile.read(second)
    dataclasses.replace(run, run_id="run-2").write(second)
    with pytest.raises(ConfigurationError, match="different runs"):
        merge(tmp_path / "all", [first, second])

    assert not (tmp_path / "all").exists()


def test_a_folder_is_for_one_run(tmp_path: Path) -> None:
    """What is there is never written over."""
    folder = run_folder(tmp_path / "a")
    before = (folder / "run.json").stat().st_mtime_ns
    with pytest.raises(ConfigurationError, match="not empty"):
        create_run(folder, RunFile.read(folder))

    assert (folder / "run.json").stat().st_mtime_ns == before


def test_a_process_that_was_killed_while_it_wrote_run_json(tmp_path: Path) -> None:
    """What it left is in nobody's way: the same command creates the run."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".run.json").write_text('{"version"')
    with locked(folder):
        pass

    with server() as dps:
        run = factory_run(dps, tmp_path)
        with locked(folder), pytest.raises(JournalError, match="another process"):
            create_run(folder, run)

        create_run(folder, run)

    assert RunFile.read(folder).run_id == run.run_id
    assert not (folder / ".run.json").exists()


def test_it_begins_when_told(tmp_path: Path) -> None:
    """`start_at` is for machines that cannot talk to each other.

    A time that has passed before the devices are checked is refused, so on a busy machine a later
    one is tried.
    """
    with server() as dps:
        create_run(tmp_path / "out", factory_run(dps, tmp_path))
        for delay in (1.5, 6, 24, 96):
            at = time.time() + delay
            with suppress(ConfigurationError):
                results = resumed(tmp_path / "out", Stop(), start_at=at)
                break

    assert results.sessions[0].started >= at


_HOLDER = """
import sys
from pathlib import Path
from aiodps.fleet.runs import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.sockets
def test_a_killed_process_gives_it_up(tmp_path: Path) -> None:
    """As long as another process lives, it is refused; after SIGKILL it can be had at once."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError) as caught, locked(tmp_path):
            pass

        os.kill(holder.pid, signal.SIGKILL)

    assert caught.value.reason == "in_use"
    with locked(tmp_path):
        pass


def test_it_is_given_back(tmp_path: Path) -> None:
    """After the block, and after an error in it, which passes."""
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError

    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is told as what it is."""
    with pytest.raises(JournalError) as caught, locked(tmp_path / "nowhere"):
        pass

    assert caught.value.reason == "unwritable"
