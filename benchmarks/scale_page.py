"""The page that is published of runs through one machine: a table, and what breaks first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

_COLUMNS: Final = {
    "devices": "devices",
    "transport": "transport",
    "assigned": "assigned",
    "devices_per_second": "devices/s",
    "run_seconds": "run s",
    "keys_seconds": "keys s",
    "cpu_ms_all": "CPU ms/device",
    "cpu_ms_shards": "of it fleet",
    "cpu_ms_emulator": "emulator",
    "memory_mb_all": "MB in all",
    "p50_seconds": "p50 s",
    "p99_seconds": "p99 s",
    "loop_lag_p99_ms": "loop lag p99 ms",
}
_BUSY: Final = 0.85
"""Share of the processors above which a run is limited by them."""
_FULL_MACHINE: Final = (
    "Counts, rates and costs hold all the same. But p50, p99 and the lag are those of a full "
    "machine, not of a service: a device waits for a processor most of its time. The report of "
    "`aiodps fleet` warns of it:"
)

Run: TypeAlias = Mapping[str, Any]


def page(runs: Sequence[Run]) -> str:
    """Return the figures as a table in Markdown, and for the largest runs what limited them."""
    lines = [f"| {' | '.join(_COLUMNS.values())} |", f"|{' --: |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cell(run[name]) for name in _COLUMNS)} |" for run in runs]
    largest = {run["transport"]: run for run in runs}.values()
    lines += ["", "What breaks first:", ""]
    lines += [f"- {_name(run)}: {_limit(run)}." for run in largest]
    warnings = [f"- {_name(run)}: {why}" for run in largest for why in run["limited_by"]]
    if warnings:
        lines += ["", _FULL_MACHINE, "", *warnings]

    return "\n".join([*lines, ""])


def _name(run: Run) -> str:
    return f"{run['devices']:,} over {run['transport']}"


def _limit(run: Run) -> str:
    """Say what limited a run, and whose it is."""
    if run["stopped"] is not None:
        return f"the run was stopped, {run['stopped']}"

    cores, fleet, emulator = (run[name] for name in ("cores", "cores_shards", "cores_emulator"))
    share = (fleet + emulator + run["cores_leader"]) / cores
    whose = f"{fleet:.2f} of {cores} by the fleet, {emulator:.2f} by the emulator"
    if share < _BUSY:
        return f"not the processors, which were busy for {share:.0%} of the time ({whose})"

    return (
        f"the processors, busy for {share:.0%} of the time: {whose}. On a machine with more of "
        "them it would be the emulator, which is one process: it is at its limit at "
        f"{1000 / run['cpu_ms_emulator']:.0f} devices a second"
    )


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
