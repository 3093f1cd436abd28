"""One shard as a plain function."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.fleets import spec
from tests.fleet.servers import Server, server

from aiodps.errors import ConfigurationError
from aiodps.fleet.run.control_files import ControlFiles, Order
from aiodps.fleet.run.shard import run_shard

pytestmark = pytest.mark.sockets


@pytest.fixture
def dps() -> Iterator[Server]:
    """Run an emulator in another thread."""
    with server() as running:
        yield running


def test_it_waits_for_the_start_and_tells_how_it_stands(
    dps: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready first, then begun when told; at the end it has said so. Works in any thread."""
    control = ControlFiles(tmp_path)
    control.create()
    report, reported = ControlFiles.report_ready, threading.Event()

    def heard(*words: Any) -> None:
        report(*words)
        reported.set()

    monkeypatch.setattr(ControlFiles, "report_ready", heard)
    shard = spec(dps.emulator, tmp_path, 5)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_shard, shard)
        reported.wait()
        ready = control.read_progress([0])[0]
        control.order_start(time.time())
        end = future.result()

    assert (ready.total, ready.assigned, ready.in_flight) == (5, 0, 0)
    assert end.progress.assigned == 5
    assert control.read_progress([0]) == {0: end.progress}


@pytest.mark.parametrize("order", list(Order))
def test_it_stops_when_told_before_the_start(dps: Server, order: Order, tmp_path: Path) -> None:
    """Nothing is sent then."""
    control = ControlFiles(tmp_path)
    control.create()
    control.send(order)
    end = run_shard(spec(dps.emulator, tmp_path, 5))

    assert (end.progress.assigned, end.progress.left) == (0, 5)
    assert not dps.emulator.counts.register_requests


def test_run_again_it_goes_on(dps: Server, tmp_path: Path) -> None:
    """A shard that was lost may simply be run again: what is assigned stays so."""
    control = ControlFiles(tmp_path)
    control.create()
    control.order_start(time.time())
    shard = spec(dps.emulator, tmp_path, 5)
    first, second = run_shard(shard), run_shard(shard)

    assert first.progress.assigned == second.progress.assigned == 5
    assert set(dps.emulator.counts.register_requests.values()) == {1}


def test_a_folder_that_is_not_there(dps: Server, tmp_path: Path) -> None:
    """A machine that does not see the run folder says so."""
    shard = spec(dps.emulator, tmp_path, 1)
    object.__setattr__(shard, "folder", tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="does not exist on this machine"):
        run_shard(shard)
