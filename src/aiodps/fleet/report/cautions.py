"""Cautions of a run: what a reader has to know before the figures, in plain sentences.

The same sentences stand on top of the report, of the table in the terminal and, as `cautions`, in
`summary.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from aiodps.fleet.report.session_cautions import session_cautions
from aiodps.fleet.report.summary import Summary

_Sentences: TypeAlias = Iterator[str]


def cautions(summary: Summary) -> list[str]:
    """Return the cautions of a run, the most serious first; empty if there is nothing to say."""
    return [
        *_limits(summary),
        *_unfinished(summary),
        *session_cautions(summary),
        *_failures(summary),
    ]


def _limits(summary: Summary) -> _Sentences:
    generator = summary["generator"]
    if generator["limited"]:
        yield f"The run was limited by its generator: {'; '.join(generator['why'])}."

    if generator["unknown"] and summary["transports"]:
        yield f"Whether the generator limited the run is not known: {generator['unknown']}."


def _unfinished(summary: Summary) -> _Sentences:
    left = unfinished(summary)
    if left:
        yield f"{not_ended(left)}."


def not_ended(count: int) -> str:
    """Return how many registrations have not ended, in words."""
    return f"{count:,} registration{' has' if count == 1 else 's have'} not ended"


def _failures(summary: Summary) -> _Sentences:
    for name, facts in summary["transports"].items():
        everyone = facts["latency_of_all"]
        if everyone["p99"] is None:
            yield (
                f"{everyone['never']:,} of {everyone['count']:,} devices over {name} were not "
                "assigned, and are missing in its latencies: of all that started, p99 is never."
            )


def unfinished(summary: Summary) -> int:
    """Return how many registrations have not ended, those that never began included."""
    states = summary.get("states", {})
    left: int = sum(states.get(state, 0) for state in ("planned", "sent", "operation"))
    return left or sum(facts["interrupted"] for facts in summary["transports"].values())
