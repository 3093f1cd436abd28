"""Control files: orders to shards, progress from them."""

from __future__ import annotations

from pathlib import Path

from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.run.control_files import ControlFiles, Order


def test_shards_receive_orders_and_report_progress(tmp_path: Path) -> None:
    """Progress, start time and orders, between objects that share nothing but the folder."""
    here, there = ControlFiles(tmp_path), ControlFiles(tmp_path)
    here.create()

    assert here.read_progress(range(2)) == {}
    assert (there.start_time(), there.order()) == (None, None)
    there.write_progress(1, Progress(total=3))
    here.set_start_time(12.5)
    here.send(Order.DRAIN)

    assert here.read_progress(range(2)) == {1: Progress(total=3)}
    assert (there.start_time(), there.order()) == (12.5, Order.DRAIN)
    here.send(Order.HALT)
    assert there.order() is Order.HALT


def test_a_session_starts_without_earlier_orders(tmp_path: Path) -> None:
    """Orders of a session that was killed do not stop the next one; nothing is left at the end."""
    control = ControlFiles(tmp_path)
    control.create()
    control.send(Order.HALT)
    control.set_start_time(1.0)
    control.create()

    assert (control.start_time(), control.order()) == (None, None)
    control.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """Telling how it stands is not worth a shard."""
    ControlFiles(tmp_path / "gone").write_progress(0, Progress())
    ControlFiles(tmp_path / "gone").send(Order.DRAIN)

    assert not (tmp_path / "gone").exists()
