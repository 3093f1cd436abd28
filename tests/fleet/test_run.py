"""A run from its folder's point of view."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.certificates import root, write
from tests.fleet.fleets import SERVICE
from tests.fleet.servers import Server, server
from tests.fleet.test_listed import listed
from tests.fleet.test_results import run_folder
from tests.fleet.test_runfile import run_of

from aiodps.errors import ConfigurationError
from aiodps.fleet.launch import Stop
from aiodps.fleet.manifest import ManifestError
from aiodps.fleet.run import Manner, begin, go_on, merge
from aiodps.fleet.runfile import RunFile
from aiodps.fleet.sample import Outcome

THREADS = Manner(executor=ThreadPoolExecutor)


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

    ca = folder / "service-ca.pem"
    ca.write_bytes(dps.emulator.ca_pem)
    service = dataclasses.replace(SERVICE, ports={"rest": dps.emulator.https_port}, trust=str(ca))
    run = run_of(listed(folder, *rows), service=service, shards=shards)
    return dataclasses.replace(run, rehearsal=None)


def test_a_batch(tmp_path: Path) -> None:
    """From a list to assignments; going on with a run that is complete changes nothing."""
    out = tmp_path / "out"
    with server() as dps:
        begin(out, factory_run(dps, tmp_path))
        results = go_on(out, Stop(), THREADS)
        again = go_on(out, Stop(), THREADS)
        assert dps.emulator.counts.registers == {f"dev-{n}": 1 for n in range(4)}

    assert results.complete
    assert [one.outcome for one in results.samples] == [Outcome.ASSIGNED] * 4
    assert again.samples == results.samples


def test_nothing_is_sent_if_one_device_is_bad(tmp_path: Path) -> None:
    """All are checked before the first begins."""
    with server() as dps:
        with pytest.raises(ManifestError, match="line 3"):
            begin(tmp_path / "out", factory_run(dps, tmp_path, bad=True))

        assert not (tmp_path / "out").exists()
        assert not dps.emulator.counts.registers


def test_shards_that_run_apart_are_merged(tmp_path: Path) -> None:
    """Each in a folder of its own; together they are the run, and it may be gone on with."""
    parts = [tmp_path / "part-0", tmp_path / "part-1"]
    with server() as dps:
        run = factory_run(dps, tmp_path, shards=2)
        for shard, part in enumerate(parts):
            begin(part, run, shards=[shard])
            alone = go_on(part, Stop(), THREADS)
            assert not alone.complete
            assert len(alone.samples) == 2
            # The other shard is on another machine: going on here must not run it.
            assert go_on(part, Stop(), THREADS).samples == alone.samples

        results = merge(tmp_path / "all", parts)
        assert go_on(tmp_path / "all", Stop(), THREADS).samples == results.samples
        assert dps.emulator.counts.registers == {f"dev-{n}": 1 for n in range(4)}

    assert results.complete
    assert [one.registration_id for one in results.samples] == [f"dev-{n}" for n in range(4)]


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    """Other runs' shards, and a shard that is there twice."""
    first, second = run_folder(tmp_path / "a"), run_folder(tmp_path / "b")
    with pytest.raises(ConfigurationError, match="shard 0 is in"):
        merge(tmp_path / "all", [first, second])

    run = RunFile.read(second)
    dataclasses.replace(run, plan=dataclasses.replace(run.plan, run_id="run-2")).write(second)
    with pytest.raises(ConfigurationError, match="different runs"):
        merge(tmp_path / "all", [first, second])

    assert not (tmp_path / "all").exists()


def test_a_folder_is_for_one_run(tmp_path: Path) -> None:
    """What is there is never written over."""
    folder = run_folder(tmp_path / "a")
    before = (folder / "run.json").stat().st_mtime_ns
    with pytest.raises(ConfigurationError, match="not empty"):
        begin(folder, RunFile.read(folder))

    assert (folder / "run.json").stat().st_mtime_ns == before


def test_it_begins_when_told(tmp_path: Path) -> None:
    """`start_at` is for machines that cannot talk to each other."""
    with server() as dps:
        begin(tmp_path / "out", factory_run(dps, tmp_path))
        at = time.time() + 1.5
        results = go_on(tmp_path / "out", Stop(), dataclasses.replace(THREADS, start_at=at))

    assert results.sessions[0]["started"] == at
