"""What stands above the figures of a run that was interrupted, or was not one run."""

from __future__ import annotations

from typing import Any

import pytest

from aiodps.fleet.report.session_cautions import session_cautions

TOGETHER = {"overlap": 1.0, "started_apart": 0.0, "skew": 0.1}


def told(*, interrupted: int = 0, resumed: int = 0, **shards: Any) -> list[str]:
    """Caution about a run."""
    transports = {"mqtt": {"interrupted": interrupted, "resumed": resumed}}
    return list(session_cautions({"transports": transports, "shards": TOGETHER | shards}))


def test_a_run_that_went_through() -> None:
    """Nothing to say, also if it was one shard, or there was no leader."""
    assert told() == told(overlap=None, skew=None) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"resumed": 1200}, "1,200 devices over mqtt were in flight or due before"),
        ({"interrupted": 3}, "3 devices over mqtt were in flight when the run ended"),
        ({"overlap": 0.43}, "together for 43.0 %"),
        ({"skew": 3.02}, "off the leader's by 3.02 s at least"),
    ],
)
def test_what_is_told(facts: dict[str, Any], words: str) -> None:
    """One sentence each, with the figure."""
    (sentence,) = told(**facts)

    assert words in sentence
