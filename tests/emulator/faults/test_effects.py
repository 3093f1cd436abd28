"""How the effects of several rules are joined."""

from __future__ import annotations

import math

import pytest

from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.faults.effects import Drop, Effect, Range


def test_the_earlier_rule_counts() -> None:
    """The later one adds what the earlier says nothing about."""
    joined = Effect.of({"oversize": 5, "stale": True}).merge(
        Effect.of({"oversize": 9, "duplicate": 2})
    )

    assert joined == Effect(delivery=Delivery(oversize=5, stale=True, duplicate=2))


def test_an_answer_is_of_one_rule() -> None:
    """The status of one never gets the message of another."""
    joined = Effect(status=429).merge(Effect.of({"failed": True, "message": "no", "duplicate": 1}))

    assert joined == Effect(status=429, delivery=Delivery(duplicate=1))


def test_how_a_connection_ends_is_of_one_rule() -> None:
    """As with answers."""
    joined = Effect(drop=Drop.AFTER).merge(Effect(drop=Drop.BEFORE, how=Ending.RESET))

    assert joined == Effect(drop=Drop.AFTER)


@pytest.mark.parametrize(
    ("effect", "reaches"),
    [
        (Effect(), True),
        (Effect(delay=Range(1, 1)), True),
        (Effect(drop=Drop.BEFORE), False),
        (Effect(drop=Drop.AFTER), True),
        (Effect(drop=Drop.SENT), True),
        (Effect(status=500), False),
        (Effect(status=500, acts=True), True),
        (Effect(redirect="https://x/"), False),
        (Effect(failed=True), True),
    ],
)
def test_what_reaches_the_service(effect: Effect, reaches: bool) -> None:
    """All but what is dropped before, or answered in its place."""
    assert effect.reaches_service is reaches


def test_ranges() -> None:
    """Numbers lie between the ends; whole numbers take in both of them."""
    assert Range(1, 3).at(0.5) == 2
    assert Range(math.inf, math.inf).at(0.3) == math.inf
    assert [Range(0, 2).whole(share) for share in (0.0, 0.34, 0.99)] == [0, 1, 2]
    assert Range(math.inf, math.inf).whole(0.5) == math.inf
