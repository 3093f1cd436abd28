"""Cautions of a run that was interrupted, or whose shards did not run together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiodps.fleet.measure import units
from aiodps.fleet.report.sessions import OVERLAP
from aiodps.fleet.report.summary import Summary

_SKEW: Final = 0.5
"""Seconds that a clock may be off without changing a figure noticeably."""


def session_cautions(summary: Summary) -> Iterator[str]:
    """Yield what a reader has to know about sessions and shards, as sentences."""
    yield from _resumed(summary)
    yield from _interrupted(summary)
    yield from _shards(summary)


def _resumed(summary: Summary) -> Iterator[str]:
    for name, facts in summary["transports"].items():
        if facts.get("resumed"):
            yield (
                f"The run was resumed: {facts['resumed']:,} devices over {name} were in flight or "
                "due before, and their latency counts from then, the pause included."
            )


def _interrupted(summary: Summary) -> Iterator[str]:
    for name, facts in summary["transports"].items():
        if facts["interrupted"]:
            yield (
                f"{facts['interrupted']:,} devices over {name} were in flight when the run ended: "
                "how long they would have taken is not known, and they are in no latency."
            )


def _shards(summary: Summary) -> Iterator[str]:
    shards = summary.get("shards", {})
    overlap, skew = shards.get("overlap"), shards.get("skew")
    if overlap is not None and overlap < OVERLAP:
        yield (
            f"The shards ran together for {units.share(overlap)} of the shortest one's time: the "
            "load was not the one that was asked for."
        )

    if skew is not None and skew > _SKEW:
        yield (
            f"The clock of a shard was off the leader's by {units.duration(skew)} at least; its "
            "start was corrected by that."
        )
