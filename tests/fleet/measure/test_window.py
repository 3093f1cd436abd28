"""Warm-up and cool-down are left out by when a device should have started, and counted."""

from __future__ import annotations

from tests.fleet.samples import sample

from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.measure.window import in_window, window_facts

SAMPLES = [
    sample(intended=float(n), started=n + 5.0, finished=n + 9.0,
           outcome=Outcome.FAILED if n % 4 == 0 else Outcome.ASSIGNED)
    for n in range(11)
]  # fmt: skip
"""One a second from 0 to 10, each five seconds late; every fourth fails."""


def test_the_ends_are_left_out() -> None:
    """By intended start, whenever they began and ended; the rest is whole."""
    facts = window_facts(SAMPLES, warm_up=2.5, cool_down=3)

    assert facts == {"from": 2.5, "to": 7, "warm_up": 3, "cool_down": 3, "failed": 2}
    assert [one.intended for one in in_window(SAMPLES, facts)] == [3, 4, 5, 6, 7]


def test_nothing_asked_nothing_left_out() -> None:
    """There is no window, and every device counts."""
    assert window_facts(SAMPLES, warm_up=0, cool_down=0) is None
    assert in_window(SAMPLES, None) == SAMPLES


def test_everything_may_be_left_out() -> None:
    """Each device is counted once, also where both ends meet; and none is in no run."""
    facts = window_facts(SAMPLES, warm_up=8, cool_down=8)

    assert facts is not None
    assert (facts["warm_up"] + facts["cool_down"], in_window(SAMPLES, facts)) == (11, [])
    assert window_facts([], warm_up=1, cool_down=0) == {
        "from": 1, "to": 0, "warm_up": 0, "cool_down": 0, "failed": 0,
    }  # fmt: skip
