"""What is served while a run goes on, and that it ends with the run."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from click.testing import CliRunner
from tests.fleet.fleets import given
from tests.fleet.runs import COMMAND
from tests.leftovers import nothing_left

from aiodps.cli.fleet.watching import WATCHING, Address, Watching
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.transport_progress import TransportProgress
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import RunOptions
from aiodps.settings import Settings

pytestmark = pytest.mark.sockets
PROGRESS = Progress(total=7, transports={"rest": TransportProgress(started=3)})


def run() -> RunFile:
    """Make a run of one device."""
    options = RunOptions(settings=Settings(id_scope="0ne00000000"))
    return RunFile(run_id="1", options=options, source=given(1), command=COMMAND)


def fetched(url: str) -> bytes:
    """Fetch a page."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=20)
    connection.request("GET", where.path)
    with connection.getresponse() as response:
        assert response.status == 200
        return response.read()


def test_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Addresses are told, pages are served while the run goes on, and then nothing is left."""
    port = Address("127.0.0.1", 0)
    with nothing_left(), Watching(True, port).serving(tmp_path, run()) as recorder:
        assert recorder is not None
        recorder(PROGRESS)
        told = dict(line.split(": ") for line in capsys.readouterr().err.splitlines())
        page, changes = fetched(told["live"]), fetched(told["live"] + "changes")
        metrics = fetched(told["metrics"])

    assert COMMAND.encode() in page
    assert json.loads(changes)["texts"]["rest/started"] == "3"
    assert b'aiodps_fleet_started_total{transport="rest"} 3' in metrics
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", told["live"])


def test_the_emulators_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Its address is told, and given to the live page; without one, nobody asks for it."""
    recorder = Recorder()
    tell = Watching(True, None).emulator_page(recorder)
    assert tell is not None
    tell("http://127.0.0.1:1/?token=x")

    assert capsys.readouterr().err == "emulator: http://127.0.0.1:1/?token=x\n"
    assert recorder.emulator_page == "http://127.0.0.1:1/?token=x"
    assert Watching(False, Address("127.0.0.1", 0)).emulator_page(recorder) is None


def test_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then nobody has to be told of the progress."""
    with nothing_left(), Watching(False, None).serving(tmp_path, run()) as recorder:
        assert recorder is None

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("9464", Address("127.0.0.1", 9464)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),  # noqa: S104
        ("[::1]:9464", Address("::1", 9464)),
    ],
)
def test_addresses(word: str, address: Address) -> None:
    """Loopback, unless it is said otherwise."""
    assert parsed(word) == address


@pytest.mark.parametrize("word", ["", "x", "70000", "-1", "localhost:1", "127.0.0.1:", ":::"])
def test_no_address(word: str) -> None:
    """The message shows what was given, and what to give."""
    with pytest.raises(click.BadParameter, match="is not a port: give 9464"):
        parsed(word)


def parsed(word: str) -> Address:
    """Parse `--metrics-port`."""
    command = click.Command("run", params=WATCHING)
    with command.make_context("run", [f"--metrics-port={word}"]) as context:
        found: Address = context.params["metrics_port"]
        return found


def test_the_help() -> None:
    """Both are options of their own."""
    assert "--live" in CliRunner().invoke(click.Command("run", params=WATCHING), ["--help"]).stdout
