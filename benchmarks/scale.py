"""Devices by the hundred thousand: all of them through one machine, emulator included.

    python -m benchmarks.scale                                  # 1,000, 10,000 and 100,000
    python -m benchmarks.scale --devices 1000 --transport rest
    python -m benchmarks.scale --out benchmarks/results         # scale.json, scale.md, CSV, SVG

Results are added to those that are there: each number of devices, over each transport, may be
measured by itself.

Each device has a key, a certificate and a TLS connection of its own. The processes are those of
`aiodps fleet run --emulator --shards 2`: the emulator, the shards, and this one, which leads
them. Counts are compared with the emulator's own, device by device. Keys and certificates are
made before the first device starts, which is timed apart.

A run stops itself if it takes too long (`--minutes`) or too much memory (`--gigabytes`). Exit
codes: 0 all assigned, and all counts exact; 1 not; 99 all that, but above the aims: six minutes
for the devices of a run, and two gigabytes of all processes together.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from benchmarks.quiet import wait_until_quiet
from benchmarks.ramp import ramp, write_ramp
from benchmarks.scale_figures import AIMS, exact, figures, keep, missed
from benchmarks.scale_page import page
from benchmarks.scale_run import Plan, ScaleRun
from benchmarks.where import environment

from aiodps.fleet.plan.spec import JournalMode

BROKEN: Final = 1
MISSED: Final = 99


def measure(run: ScaleRun, out: Path | None) -> dict[str, Any]:
    """Run once; write the ramp curve next to the results."""
    with tempfile.TemporaryDirectory() as name:
        done = run.measure(Path(name) / "run")

    found = figures(done)
    if out is not None and done.results.samples:
        rows = ramp(done.results.samples, done.looks, started=done.started)
        stem = out / f"scale-{run.transport}-{run.devices}"
        write_ramp(rows, stem, title=f"{run.devices:,} devices over {run.transport}")

    return found


def measure_all(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run each number of devices over each transport, the fewest first."""
    plan = Plan(
        concurrency=options.concurrency,
        shards=options.shards,
        journal=options.journal,
        minutes=options.minutes,
        gigabytes=options.gigabytes,
    )
    for devices in sorted(options.devices):
        for transport in options.transport:
            found = measure(ScaleRun(plan, devices, transport), options.out)
            yield found
            if found["stopped"]:
                return


def main() -> int:
    """Measure; print, and write if it was said where."""
    options = _options()
    wait_until_quiet(anyway=options.anyway)
    facts = environment({"aims": AIMS})
    runs: list[dict[str, Any]] = []
    for found in measure_all(options):
        runs.append(found)
        print(json.dumps(found, indent=1), file=sys.stderr)
        if options.out is not None:  # after each: the next one may be stopped
            _write(options.out, {**found, "environment": facts})

    print(page(runs))
    if not all(map(exact, runs)):
        return BROKEN

    return MISSED if any(map(missed, runs)) else 0


def _write(out: Path, run: dict[str, Any]) -> None:
    """Add a run to those that were measured before."""
    runs = keep(out / "scale.json", run)
    out.joinpath("scale.md").write_text(page(runs), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--transport", nargs="+", default=["rest", "mqtt"])
    parser.add_argument("--concurrency", type=int, default=300, help="devices in flight")
    parser.add_argument("--shards", type=int, default=2, help="processes of the fleet")
    parser.add_argument("--journal", choices=get_args(JournalMode), default="memory")
    parser.add_argument("--minutes", type=float, default=20.0, help="most for each run")
    parser.add_argument("--gigabytes", type=float, default=6.0, help="most for each run")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
