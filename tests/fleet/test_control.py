"""The files by which shards hear and are heard."""

from __future__ import annotations

from pathlib import Path

from aiodps.fleet.control import Control, Order
from aiodps.fleet.gauge import Standing


def test_what_is_said_is_heard(tmp_path: Path) -> None:
    """Standings, the start and orders, between objects that share nothing but the folder."""
    here, there = Control(tmp_path), Control(tmp_path)
    here.begin()

    assert here.standings(range(2)) == {}
    assert (there.started(), there.order()) == (None, None)
    there.report(1, Standing(total=3))
    here.start(12.5)
    here.give(Order.DRAIN)

    assert here.standings(range(2)) == {1: Standing(total=3)}
    assert (there.started(), there.order()) == (12.5, Order.DRAIN)
    here.give(Order.HALT)
    assert there.order() is Order.HALT


def test_a_session_begins_with_nothing_said(tmp_path: Path) -> None:
    """Orders of a session that was killed do not stop the next one; nothing is left at the end."""
    control = Control(tmp_path)
    control.begin()
    control.give(Order.HALT)
    control.start(1.0)
    control.begin()

    assert (control.started(), control.order()) == (None, None)
    control.end()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """Telling how it stands is not worth a shard."""
    Control(tmp_path / "gone").report(0, Standing())
    Control(tmp_path / "gone").give(Order.DRAIN)

    assert not (tmp_path / "gone").exists()
