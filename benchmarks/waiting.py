"""Devices that all wait at once in one process: memory of each, and lag of the event loop.

    python -m benchmarks.waiting                                # 10,000, over REST and over MQTT
    python -m benchmarks.waiting --devices 2000 --wait 40
    python -m benchmarks.waiting --out benchmarks/results       # waiting.json

All start at the same moment, register, and are asked to wait for so long that the last one has
registered before the first one polls. Memory is the growth of the resident set from before the
first start, when all keys are loaded, to its peak, by connection that was open at once; beside it
is what a bare TLS connection holds (`benchmarks.bare`). The lag is the generator's own figure,
of the whole run.

Exit codes: 0 none failed; 1 some did; 99 none did, but above the aims: 45 kB for a device that
waits over REST, 50 kB over MQTT, 250 ms of lag.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import psutil
from benchmarks.bare import bare_kb
from benchmarks.quiet import wait_until_quiet
from benchmarks.where import environment

from aiodps.fleet.local_emulator import LocalEmulator, with_address
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Burst
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.run.session import Session
from aiodps.network.event_loop import backend_options
from aiodps.process.garbage_collection import few_full_collections
from aiodps.settings import Settings

MOST_KB: Final = {"rest": 45.0, "mqtt": 50.0}
MOST_LAG_MS: Final = 250.0
BROKEN: Final = 1
MISSED: Final = 99
_INTERVAL: Final = 0.5


def wait_all(told: Mapping[str, Any]) -> None:
    """Be the one process: load all devices, say so, and start them all when told to."""
    emulator = LocalEmulator.for_run(Path(told["folder"]))
    settings = Settings(id_scope=told["id_scope"], endpoint=told["host"], timeout=900.0)
    options = RunOptions(
        settings=settings,
        transports=(told["transport"],),
        arrivals=Burst(),
        journal="memory",
        min_poll_interval=0.0,
    )
    spec = ShardSpec(
        run_id="waiting",
        options=with_address(options, told),
        shard=0,
        source=emulator.devices(told["devices"]),
        folder=Path(told["folder"]),
    )
    with Session(spec) as session, few_full_collections():
        gc.collect()
        print(flush=True)
        sys.stdin.readline()
        end = anyio.run(session.run, backend_options=backend_options())
        outcomes = Counter(each.sample.outcome for each in session.entries() if each.sample)

    facts = {"outcomes": outcomes, "seconds": end.seconds, **asdict(end.generator_load)}
    print(json.dumps(facts), flush=True)


def measure(devices: int, transport: str, *, wait: int) -> dict[str, Any]:
    """Let devices wait, in a process of its own, and look at that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        folder.mkdir()
        emulator = LocalEmulator.for_run(folder)
        emulator.create()
        with emulator.running(retry_after=wait, state=None) as facts:
            told = {"folder": str(folder), "devices": devices, "transport": transport, **facts}
            floor = bare_kb(told)
            command = [sys.executable, "-m", "benchmarks.waiting", "--told", json.dumps(told)]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                with Held.watching(process.pid) as held:
                    answer, _ = process.communicate("\n")

    found = figures(json.loads(answer), held, devices=devices, transport=transport)
    return found | {"bare_kb": floor}


def figures(end: Mapping[str, Any], held: Held, *, devices: int, transport: str) -> dict[str, Any]:
    """Return the figures of a run: plain JSON."""
    waiting = min(held.descriptors - held.before_descriptors, devices)
    return {
        "devices": devices,
        "transport": transport,
        "assigned": end["outcomes"].get(Outcome.ASSIGNED.value, 0),
        "waiting_at_once": waiting,
        "kb_each": (held.memory - held.before) / 1000 / max(waiting, 1),
        "loop_lag_max_ms": 1000 * end["loop_lag_max"],
        "loop_lag_p99_ms": 1000 * end["loop_lag_p99"],
        "cpu_share_max": end["cpu_share_max"],
        "run_delay_seconds": end["run_delay"],
        "seconds": end["seconds"],
    }


@dataclass
class Held:
    """The most that a process has held while it was watched."""

    before: int
    """Bytes of memory before the first start."""
    before_descriptors: int
    memory: int = 0
    descriptors: int = 0

    @classmethod
    @contextmanager
    def watching(cls, pid: int) -> Iterator[Held]:
        """Look at a process twice a second until the block ends."""
        process, over = psutil.Process(pid), threading.Event()
        held = cls(before=process.memory_info().rss, before_descriptors=process.num_fds())

        def watch() -> None:
            with suppress(psutil.Error):  # it has ended
                while not over.wait(_INTERVAL):
                    held.see(process.memory_info().rss, process.num_fds())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield held
        finally:
            over.set()
            thread.join()

    def see(self, memory: int, descriptors: int) -> None:
        """Note what it holds now."""
        self.memory = max(self.memory, memory)
        self.descriptors = max(self.descriptors, descriptors)


def missed(run: Mapping[str, Any]) -> bool:
    """Whether a run is above the aims."""
    heavy = run["kb_each"] > MOST_KB.get(run["transport"], MOST_KB["mqtt"])
    return bool(heavy or run["loop_lag_max_ms"] > MOST_LAG_MS)


def main() -> int:
    """Measure each transport; print, and write if it was said where."""
    options = _options()
    if options.told is not None:
        wait_all(options.told)
        return 0

    wait_until_quiet(anyway=options.anyway)
    facts = environment({"wait_seconds": options.wait})
    run = partial(measure, options.devices, wait=options.wait)
    runs = [run(transport) for transport in options.transport]
    text = json.dumps({"environment": facts, "runs": runs}, indent=1)
    print(text)
    if options.out is not None:
        (options.out / "waiting.json").write_text(text + "\n", encoding="utf-8")

    if any(each["assigned"] < each["devices"] for each in runs):
        return BROKEN

    return MISSED if any(map(missed, runs)) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--transport", nargs="+", default=["rest", "mqtt"])
    parser.add_argument("--wait", type=int, default=120, help="seconds that each is asked to wait")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for results")
    parser.add_argument("--told", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
