"""The figures of a run through one machine, and the page that is published of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.processes import ROLES, Look
from benchmarks.scale_run import Done

from aiodps.fleet.measure.sample import Outcome

AIMS: Final = {"seconds": 360.0, "memory_mb": 2000.0}
"""At most, for a run of up to a hundred thousand devices: from the first start to the last end,
and of all processes together."""
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


def figures(done: Done) -> dict[str, Any]:
    """Return the figures of a run: plain JSON."""
    samples = done.results.samples
    outcomes = Counter(sample.outcome for sample in samples)
    facts = done.summary["transports"].get(done.transport, {})
    latency = facts.get("latency") or {}
    generator = done.summary["generator"]
    sent = {sample.registration_id: sample.register_requests for sample in samples}
    return {
        "devices": done.devices,
        "transport": done.transport,
        "assigned": outcomes[Outcome.ASSIGNED],
        "failed": outcomes[Outcome.FAILED],
        "errors": done.summary["errors"],
        "register_requests": sum(sent.values()),
        "register_requests_at_the_emulator": sum(done.registers.values()),
        "counts_agree": sent == done.registers,
        "devices_per_second": facts.get("achieved_rate"),
        "run_seconds": done.summary["duration"],
        "keys_seconds": done.ready.at - done.began,
        "results_seconds": done.written.at - done.ended.at,
        "p50_seconds": latency.get("p50"),
        "p99_seconds": latency.get("p99"),
        "loop_lag_p99_ms": _ms(generator.get("loop_lag_p99")),
        "loop_lag_max_ms": _ms(generator.get("loop_lag_max")),
        "limited_by": generator["why"],
        "stopped": done.stopped,
        **_cpu(done),
        **_memory(done.looks),
    }


def _cpu(done: Done) -> dict[str, float]:
    """Return the processor time of each role for a device, while keys are made and after."""
    keys = {role: done.ready.cpu[role] - done.looks[0].cpu[role] for role in ROLES}
    used = {role: done.ended.cpu[role] - done.ready.cpu[role] for role in ROLES}
    each = {f"cpu_ms_{role}": _ms(seconds / done.devices) for role, seconds in used.items()}
    cores = {
        f"cores_{role}": seconds / max(done.summary["duration"], 1e-3)
        for role, seconds in used.items()
    }
    return {
        "keys_cpu_ms": _ms(sum(keys.values()) / done.devices),
        "cpu_ms_all": sum(each.values()),
        **each,
        **cores,
    }


def _memory(looks: Sequence[Look]) -> dict[str, float]:
    """Return the most memory of each role, and of all together at one moment."""
    most = {f"memory_mb_{role}": max(each.memory[role] for each in looks) / 1e6 for role in ROLES}
    return {"memory_mb_all": max(each.total_memory for each in looks) / 1e6, **most}


def _ms(seconds: float | None) -> float:
    return 1000 * (seconds or 0.0)


def exact(run: Mapping[str, Any]) -> bool:
    """Whether all devices were assigned, and all counts are the emulator's own."""
    return bool(run["assigned"] == run["devices"] and run["counts_agree"] and not run["stopped"])


def missed(run: Mapping[str, Any]) -> bool:
    """Whether a run is above the aims."""
    return bool(run["run_seconds"] > AIMS["seconds"] or run["memory_mb_all"] > AIMS["memory_mb"])


def page(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a table in Markdown, and what limited each run."""
    lines = [f"| {' | '.join(_COLUMNS.values())} |", f"|{' --: |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cell(run[name]) for name in _COLUMNS)} |" for run in runs]
    for run in runs:
        reasons = run["limited_by"] if run["stopped"] is None else [f"stopped: {run['stopped']}"]
        lines += ["", f"{run['devices']:,} over {run['transport']}:", ""]
        lines += [f"- {reason}" for reason in reasons or ["nothing limited it"]]

    return "\n".join([*lines, ""])


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
