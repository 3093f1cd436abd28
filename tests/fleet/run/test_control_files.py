"""The files by which shards hear and are heard."""

from __future__ import annotations

from pathlib import Path

from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.run.control_files import ControlFiles, Order


def test_what_is_said_is_heard(tmp_path: Path) -> None:
    """Standings, the start and orders, between objects that share nothing but the folder."""
    here, there = ControlFiles(tmp_path), ControlFiles(tmp_path)
    here.begin()

    assert here.read_progress(range(2)) == {}
    assert (there.started(), there.order()) == (None, None)
    there.report(1, Progress(total=3))
    here.start(12.5)
    here.give(Order.DRAIN)

    assert here.read_progress(range(2)) == {1: Progress(total=3)}
    assert (there.started(), there.order()) == (12.5, Order.DRAIN)
    here.give(Order.HALT)
    assert there.order() is Order.HALT


def test_a_session_begins_with_nothing_said(tmp_path: Path) -> None:
    """Orders of a session that was killed do not stop the next one; nothing is left at the end."""
    control = ControlFiles(tmp_path)
    control.begin()
    control.give(Order.HALT)
    control.start(1.0)
    control.begin()

    assert (control.started(), control.order()) == (None, None)
    control.end()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """Telling how it stands is not worth a shard."""
    ControlFiles(tmp_path / "gone").report(0, Progress())
    ControlFiles(tmp_path / "gone").give(Order.DRAIN)

    assert not (tmp_path / "gone").exists()
