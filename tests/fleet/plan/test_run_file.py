"""`run.json` says everything that is needed to go on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.fleets import given, options
from tests.fleet.plan.test_manifest_devices import issuer, listed

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Stage, Staged
from aiodps.fleet.plan.devices import DeviceSlice, DeviceSource, GeneratedDevices
from aiodps.fleet.plan.run_file import RunFile, environment
from aiodps.fleet.plan.spec import EmulatorOptions
from aiodps.fleet.report.results import read_results, write_results
from aiodps.settings import Settings


def run_of(source: DeviceSource, **changes: Any) -> RunFile:
    """Make a run."""
    return RunFile(
        run_id="run-1",
        options=options(**changes),
        source=source,
        command="aiodps fleet run",
        created="2026-11-24T17:00:00+00:00",
        environment=environment(),
    )


@pytest.mark.parametrize(
    "arrivals",
    [
        Closed(concurrency=3),
        Burst(),
        Burst(concurrency=7),
        Open(rate=2.5, spacing="poisson", ramp=3, concurrency=9),
        Staged(stages=(Stage(duration=1, rate=2), Stage(duration=0, rate=0.5)), concurrency=9),
    ],
    ids=lambda arrivals: type(arrivals).__name__,
)
def test_what_is_written_is_read_back(arrivals: Arrivals, tmp_path: Path) -> None:
    """Plan, devices and the rest, for each kind of arrivals."""
    settings = Settings().replace(
        id_scope="0ne1",
        endpoint="h.example",
        address="10.0.0.1",
        proxy="http://proxy.example:3128",
        hub_suffixes=[".x"],
        timeout=7.0,
    )
    source = GeneratedDevices(count=5, certificate=Path("/ca.pem"), private_key=Path("/ca.key"))
    run = run_of(
        source,
        arrivals=arrivals,
        settings=settings,
        ports={"rest": 9},
        transports=("rest", "mqtt"),
        emulator=EmulatorOptions(assign_after=0.5),
    )
    run.write(tmp_path)
    assert RunFile.read(tmp_path) == run

    with_keys = GeneratedDevices(count=5, group_key_file=Path("/group.key"))
    keyed = dataclasses.replace(run, source=with_keys)
    keyed.write(tmp_path)
    assert RunFile.read(tmp_path) == keyed

    issuing = dataclasses.replace(
        run.options, settings=settings.replace(issue="p384"), keys_out=Path("/keys")
    )
    issued = dataclasses.replace(run, options=issuing)
    issued.write(tmp_path)
    assert RunFile.read(tmp_path) == issued

    apart = dataclasses.replace(run, local_shards=(3,))
    apart.write(tmp_path)
    assert RunFile.read(tmp_path) == apart


def test_a_listed_run(tmp_path: Path) -> None:
    """Its devices are named by the list, and by the CA's files; nothing secret is written."""
    source = listed(
        tmp_path, {"registration_id": "dev-1", "payload": {"k": "hush"}}, issuer=issuer(tmp_path)
    )
    source.prepare([0])
    run_of(source).write(tmp_path)
    text = (tmp_path / "run.json").read_text()
    back = RunFile.read(tmp_path).source

    assert list(back.registration_ids()) == ["dev-1"]
    part = run_of(DeviceSlice(devices=source, begin=0, count=1))
    part.write(tmp_path)
    assert list(RunFile.read(tmp_path).source.registration_ids()) == ["dev-1"]
    assert back.load([0])[0].registration_id == "dev-1"
    assert "hush" not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    "text",
    [None, "", "{}", '{"version": 99}', "[1]"],
    ids=["missing", "empty", "nothing", "version", "list"],
)
def test_folders_without_a_run(text: str | None, tmp_path: Path) -> None:
    """It is told in words."""
    if text is not None:
        (tmp_path / "run.json").write_text(text)

    with pytest.raises(ConfigurationError, match="no run that can be read"):
        RunFile.read(tmp_path)


def test_devices_in_memory_cannot_be_read_back(tmp_path: Path) -> None:
    """The library's caller has them; the command line cannot go on with them, and says so."""
    run_of(given(1)).write(tmp_path)
    source = RunFile.read(tmp_path).source

    with pytest.raises(ConfigurationError, match="in the memory of the program"):
        source.registration_ids()

    with pytest.raises(ConfigurationError, match="in the memory of the program"):
        source.prepare([0])


def test_the_environment_is_plain() -> None:
    """Versions and machine, as text."""
    facts = environment()

    assert json.loads(json.dumps(facts)) == facts
    assert {"python", "processors", "aiodps", "paho-mqtt"} <= facts.keys()


def paths(value: object, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """List where the values of a JSON document are."""
    yield above
    match value:
        case dict():
            for name, below in value.items():
                yield from paths(below, *above, name)
        case list():
            for index, below in enumerate(value):
                yield from paths(below, *above, index)


def changed(document: Any, path: tuple[str | int, ...], value: object) -> Any:
    """Return a document with another value somewhere."""
    if not path:
        return value

    copy = document.copy()
    copy[path[0]] = changed(document[path[0]], path[1:], value)
    return copy


ODD: list[object] = [None, True, -1, 1e300, "x", "\x1b[2J", [], ["x"], {}, {"x": 1}, "9" * 5000]


@pytest.mark.slow
def test_a_file_of_somebody_elses_is_one_clear_error(tmp_path: Path) -> None:
    """Whatever is put in place of whichever value; results can be written if it is none."""
    source = GeneratedDevices(count=5, certificate=Path("/ca.pem"), private_key=Path("/ca.key"))
    run_of(
        source,
        arrivals=Open(rate=2.5),
        ports={"rest": 9},
        emulator=EmulatorOptions(assign_after=0.5),
    ).write(tmp_path)
    file = tmp_path / "run.json"
    good = json.loads(file.read_text("utf-8"))
    for path in paths(good):
        for value in ODD:
            file.write_text(json.dumps(changed(good, path, value)), "utf-8")
            with contextlib.suppress(ConfigurationError):
                write_results(tmp_path, read_results(tmp_path))


@pytest.mark.parametrize("text", ["[" * 100_000, "", "[]", "{}", '{"version": 2}', "\x00"])
def test_a_file_that_is_no_run(tmp_path: Path, text: str) -> None:
    """Nor is there a traceback."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ConfigurationError):
        RunFile.read(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"host": "0.0.0.0", "i-know-this-is-not-secure": True},  # noqa: S104 (that is the point)
        {"ca-out": "/home/user/.bashrc"},
        {"assign_after": True},
        {"retry_after": "--host=0.0.0.0"},
        {"retry_after": -1},
    ],
    ids=str,
)
def test_only_known_options_of_the_emulator(tmp_path: Path, options: dict[str, object]) -> None:
    """And only numbers: they become words of a command."""
    source = GeneratedDevices(count=5, certificate=Path("/ca.pem"), private_key=Path("/ca.key"))
    run_of(source, emulator=EmulatorOptions()).write(tmp_path)
    file = tmp_path / "run.json"
    data = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(changed(data, ("options", "emulator"), options)), "utf-8")
    with pytest.raises(ConfigurationError):
        RunFile.read(tmp_path)
