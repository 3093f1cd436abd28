"""The plans that come with the emulator."""

from __future__ import annotations

import pytest

from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.faults.presets import HARSH, plan
from aiodps.errors import ConfigurationError


def test_calm_is_nothing() -> None:
    """The service on a good day."""
    assert plan(None, harsh=False, seed=None) == Plan()


def test_a_bad_day_is_in_the_same_words() -> None:
    """Every rule of it is one that a file could have."""
    assert plan(None, harsh=True, seed=None).rules == Plan.read(HARSH).rules


def test_own_rules_come_first() -> None:
    """And their seed counts, unless another is given."""
    own = 'seed = 4\n[[rule]]\nname = "mine"\ndelay = 1'

    assert plan(own, harsh=True, seed=None).rules[0].label == "mine"
    assert plan(own, harsh=True, seed=None).seed == 4
    assert plan(Plan.read(own), harsh=False, seed=9).seed == 9


def test_a_mistake_is_found_at_once() -> None:
    """Not when the first device comes."""
    with pytest.raises(ConfigurationError, match="has no effect"):
        plan("[[rule]]", harsh=False, seed=None)
