"""The figures of a run through one machine, and the file that has those of all runs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import ROLES, Look
from benchmarks.scale_run import Done

from aiodps.fleet.measure.sample import Outcome

AIMS: Final = {"seconds": 360.0, "memory_mb": 2000.0}
"""At most, for a run of up to a hundred thousand devices: from the first start to the last end,
and of all processes together."""


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
        "cores": os.cpu_count(),
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


def keep(file: Path, run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Write a run to a file, in place of the one of as many devices over the same transport.

    Returns:
        All runs that the file has now: each can be measured on a day of its own.
    """
    document = json.loads(file.read_text("utf-8")) if file.exists() else {"runs": []}
    kept = {(run["devices"], run["transport"]): run for run in (*document["runs"], run)}
    found = sorted(kept.values(), key=lambda run: run["devices"])
    file.write_text(json.dumps({"runs": found}, indent=1) + "\n", encoding="utf-8")
    return found
