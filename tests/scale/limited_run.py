"""A run in a process of its own, which tests do bad things to.

    python -m tests.scale.limited_run FOLDER '{"arrivals": {"rate": 20}, ...}'

It prints a line when it begins, another when the last device is done, and what the summary says
about the generator.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from tests.fleet.known_runs import shard_specs
from tests.fleet.plan.test_run_file import run_of
from tests.scale.known_service import Address

from aiodps.fleet.journal.journal import Journal
from aiodps.fleet.plan.arrivals import Burst, Closed, Open
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.run.session import Session

ARRIVALS = {"open": Open, "closed": Closed, "burst": Burst}


@contextlib.contextmanager
def limited_run(
    service: Address, folder: Path, kind: str, arrivals: dict[str, Any], **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start a run against a service, and give its process once devices begin.

    Args:
        service: Where the service is.
        folder: The run folder.
        kind: Of the arrivals.
        arrivals: Their values.
        **options: `count`, `journal`, `slow_disk` (seconds of each write), `descriptors` (their
            hard limit), `nice` (by how much the process is nicer than others once it begins).
    """
    facts = {"ports": service.ports, "ca": service.ca, "kind": kind, "arrivals": arrivals}
    command = [sys.executable, "-m", __name__, str(folder), json.dumps({**facts, **options})]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def wait_for_the_last_device(process: subprocess.Popen[str]) -> None:
    """Wait until no device runs any more."""
    assert process.stdout is not None
    process.stdout.readline()


def generator(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the end of a run; return what it says about the generator."""
    output, _ = process.communicate(timeout=120)
    facts: dict[str, Any] = json.loads(output)
    return facts


def _main(folder: Path, told: dict[str, Any]) -> None:
    if limit := told.get("descriptors"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    if seconds := told.get("slow_disk"):
        _slow_down_the_disk(seconds)

    (spec,) = shard_specs(
        folder,
        count=told["count"],
        ca=told["ca"].encode(),
        ports=told["ports"],
        arrivals=ARRIVALS[told["kind"]](**told["arrivals"]),
        journal=told.get("journal", "memory"),
    )
    run_of(spec.source, arrivals=spec.options.arrivals).write(folder)
    with Session(spec) as session:
        print(flush=True)  # noqa: T201 (read by who started it)
        os.nice(told.get("nice", 0))
        anyio.run(session.run)
        print(flush=True)  # noqa: T201 (idem)

    summary = write_results(folder, read_results(folder))
    print(json.dumps(summary["generator"]))  # noqa: T201 (idem)


def _slow_down_the_disk(seconds: float) -> None:
    """Let each transaction of the journal take longer, in the thread that writes it."""
    write = Journal.write

    def slow(self: Journal, *words: Any, **more: Any) -> None:
        time.sleep(seconds)
        write(self, *words, **more)

    Journal.write = slow  # type: ignore[method-assign]  # a disk that is slow


if __name__ == "__main__":
    _main(Path(sys.argv[1]), json.loads(sys.argv[2]))
