"""The page that is published of runs through one machine: a table, and what limited them."""

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
    "cpu_ms_shards": "fleet's CPU",
    "cpu_ms_emulator": "emulator's CPU",
    "memory_mb_all": "MB in total",
    "p50_seconds": "p50 s",
    "p99_seconds": "p99 s",
    "loop_lag_p99_ms": "event loop late p99 ms",
}
_BUSY: Final = 85.0
"""Per cent of the cores' time above which a run is limited by them."""
_FULL_MACHINE: Final = (
    "Counts, rates and CPU are right nevertheless. The latencies (p50, p99) are not those of the "
    "service: on a machine whose cores are fully used, a device mostly waits for one. "
    "`aiodps fleet` reports that:"
)

Run: TypeAlias = Mapping[str, Any]


def page(runs: Sequence[Run]) -> str:
    """Return the figures as a table in Markdown, and what limited the largest runs."""
    lines = [f"| {' | '.join(_COLUMNS.values())} |", f"|{' --: |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cell(run[name]) for name in _COLUMNS)} |" for run in runs]
    largest = {run["transport"]: run for run in runs}.values()
    lines += ["", "What limited the largest run over each transport:", ""]
    lines += [f"- {_name(run)}: {_limit(run)}." for run in largest]
    warnings = [f"- {_name(run)}: {why}" for run in largest for why in run["limited_by"]]
    if warnings:
        lines += ["", _FULL_MACHINE, "", *warnings]

    return "\n".join([*lines, ""])


def _name(run: Run) -> str:
    return f"{run['devices']:,} over {run['transport']}"


def _limit(run: Run) -> str:
    """Say what limited a run, and which part of aiodps used it."""
    if run["stopped"] is not None:
        return f"it was stopped, because it took {run['stopped']}"

    cores, fleet, emulator = (run[name] for name in ("cores", "cores_shards", "cores_emulator"))
    share = 100 * (fleet + emulator + run["cores_leader"]) / cores
    used = (
        f"{share:.0f} % of the time of its {cores} cores was used, {fleet:.2f} cores by the fleet "
        f"and {emulator:.2f} by the emulator"
    )
    if share < _BUSY:
        return f"not the processor: {used}"

    most = 1000 / run["cpu_ms_emulator"]
    return (
        f"the processor: {used}. With more cores, the emulator would be the limit: it is one "
        f"process, and one core is enough for {most:.0f} devices per second"
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
