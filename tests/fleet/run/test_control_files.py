"""Control files: orders to shards, progress from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiodps.errors import JournalError
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.run.control_files import ControlFiles, Order, StartOrder


def test_shards_receive_orders_and_report_progress(tmp_path: Path) -> None:
    """Progress, start time and orders, between objects that share nothing but the folder."""
    here, there = ControlFiles(tmp_path), ControlFiles(tmp_path)
    here.create()

    assert here.read_progress(range(2)) == {}
    assert (there.start_order(), there.order()) == (None, None)
    there.write_progress(1, Progress(total=3))
    assert here.read_progress(range(2)) == {1: Progress(total=3)}
    here.order_start(12.5)
    here.send(Order.DRAIN)

    assert there.order() is Order.DRAIN
    order = there.start_order()
    assert order is not None
    assert order.at == 12.5
    assert order.ahead.keys() == {"1"}
    here.send(Order.HALT)
    assert there.order() is Order.HALT


def test_a_session_starts_without_earlier_orders(tmp_path: Path) -> None:
    """Orders of a session that was killed do not stop the next one; nothing is left at the end."""
    control = ControlFiles(tmp_path)
    control.create()
    control.send(Order.HALT)
    control.order_start(1.0)
    control.create()

    assert (control.start_order(), control.order()) == (None, None)
    control.remove()
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_gone_stop_the_shards(tmp_path: Path) -> None:
    """Nobody follows them any more; to say how they stand is no error."""
    control = ControlFiles(tmp_path / "gone")
    control.write_progress(0, Progress())
    control.send(Order.DRAIN)

    assert control.order() is Order.HALT
    with pytest.raises(JournalError):
        control.report_ready(0, Progress())

    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("ahead", "seen", "skew"),
    [
        (-0.1, 100.1, 0.0),
        (2.9, 103.1, 2.9),
        (-3.1, 97.1, -2.9),
        (-30.0, 130.0, 0.0),
    ],
    ids=["in sync", "ahead", "behind", "a slow file system"],
)
def test_a_clock_is_wrong_only_if_it_must_be(ahead: float, seen: float, skew: float) -> None:
    """A report and an order take their time: between the two bounds, the least is taken."""
    order = StartOrder(at=101.0, clock=100.0, ahead={"1": ahead})

    assert order.skew(1, seen=seen) == pytest.approx(skew)
