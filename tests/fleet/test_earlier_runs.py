"""A list whose devices were assigned by another run is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiodps.fleet.earlier_runs import assigned_before
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.manifest import Row
from aiodps.fleet.plan.manifest_devices import ManifestDevices
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import RunOptions
from aiodps.settings import Settings


def run(*registration_ids: str, id_scope: str = "0ne1") -> RunFile:
    """Return a run over a list."""
    rows = tuple(Row(line=1, registration_id=each) for each in registration_ids)
    return RunFile(
        run_id="x",
        options=RunOptions(settings=Settings(id_scope=id_scope)),
        source=ManifestDevices(path=Path("m.csv"), digest="", rows=rows),
        command="",
    )


def finished(folder: Path, *registration_ids: str, id_scope: str = "0ne1") -> Path:
    """Write the folder of a run that has assigned devices."""
    folder.mkdir()
    run(*registration_ids, id_scope=id_scope).write(folder)
    lines = [
        "registration_id,device_id,assigned_hub",
        *(f"{each},d,h" for each in registration_ids),
    ]
    (folder / "assignments.csv").write_text("\r\n".join(lines))
    return folder


def test_the_run_with_most_of_the_devices(tmp_path: Path) -> None:
    """Ids are compared as the service does, without case."""
    finished(tmp_path / "a", "d1")
    second = finished(tmp_path / "b", "D1", "d2", "d3")
    finished(tmp_path / "c", "d1", "d2", id_scope="0ne2")

    assert assigned_before(tmp_path / "new", run("d1", "d2", "d4")) == (second, 2)


@pytest.mark.parametrize("what", ["nothing", "other", "itself", "no results", "damaged", "pipe"])
def test_no_such_run(what: str, tmp_path: Path) -> None:
    """Other devices, other folders, and folders that cannot be read."""
    match what:
        case "other":
            finished(tmp_path / "a", "x")
        case "itself":
            finished(tmp_path / "new", "d1")
        case "no results":
            (finished(tmp_path / "a", "d1") / "assignments.csv").unlink()
        case "damaged":
            (finished(tmp_path / "a", "d1") / "run.json").write_text("{")
        case "pipe":
            (finished(tmp_path / "a", "d1") / "assignments.csv").write_bytes(b"\xff")

    assert assigned_before(tmp_path / "new", run("d1")) is None


def test_generated_devices(tmp_path: Path) -> None:
    """Those of the emulator are made anew for each run."""
    finished(tmp_path / "a", "device-00000")
    source = GeneratedDevices(count=1, certificate=tmp_path, private_key=tmp_path)
    new = RunFile(run_id="x", options=run().options, source=source, command="")

    assert assigned_before(tmp_path / "new", new) is None
