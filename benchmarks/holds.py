"""What a device holds while it waits: memory by package, beside that of a bare TLS connection.

    python -m benchmarks.holds                                  # to the terminal
    python -m benchmarks.holds --out benchmarks/results         # holds.json and holds.md

Two waves of devices wait in one process, and what the second one adds is counted: by malloc and
by `tracemalloc`, and so the same on any day. Tracing needs memory itself: each transport runs
twice, without and with it. `benchmarks.waiting` has the resident set of ten thousand.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Final

import anyio
import psutil
from benchmarks.allocated import Memory
from benchmarks.where import environment

from aiodps.fleet.local_emulator import LocalEmulator, with_address
from aiodps.fleet.plan.arrivals import Burst
from aiodps.fleet.plan.devices import DeviceSlice
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.run.session import Session
from aiodps.network.event_loop import backend_options
from aiodps.settings import Settings
from benchmarks import bare

BARE: Final = "bare"
KINDS: Final = (BARE, "rest", "mqtt", "mqtt_native")
FIRST: Final = 100
"""Devices of the first wave: what is made once is made for it."""
WAIT: Final = 300
"""Seconds that each is asked to wait."""
LEAST: Final = 0.1
"""Kilobytes of a package that is listed by itself."""
_C: Final = "OpenSSL and other libraries in C"
_SUSPENDED: Final = "coroutines that wait"
_INTERVAL: Final = 1.0
_IDLE: Final = 0.05
"""Seconds of CPU in an interval in which nothing happens."""


def hold(told: Mapping[str, Any]) -> None:
    """Be the one process: let two waves wait, and print what the second one adds for each."""
    waves = _bare if told["kind"] == BARE else _ours
    first, second = anyio.run(waves, told, backend_options=backend_options())
    each = told["devices"]
    suspended, python = second.suspended - first.suspended, second.python - first.python
    facts = {
        "resident": (second.resident - first.resident) / each,
        "malloc": (second.malloc - first.malloc) / each,
        "large": (second.large - first.large) / each,
        "suspended": suspended.total() / each,
        "python": {name: size / each for name, size in (python - suspended).items()},
    }
    print(json.dumps(facts), flush=True)


async def _ours(told: Mapping[str, Any]) -> list[Memory]:
    with ExitStack() as sessions:
        waves = [sessions.enter_context(Session(spec)) for spec in _specs(told)]
        return await _seen(told, [session.run for session in waves])


async def _bare(told: Mapping[str, Any]) -> list[Memory]:
    emulator = LocalEmulator.for_run(Path(told["folder"]))
    devices = emulator.devices(FIRST + told["devices"]).load(range(FIRST + told["devices"]))
    context, opened = bare.context(told), []

    async def wave(part: slice) -> None:
        opened.extend(bare.connect(context, told, devices[part]))

    first, second = slice(FIRST), slice(FIRST, None)
    seen = await _seen(told, [lambda: wave(first), lambda: wave(second)])
    for tls in opened:
        tls.close()

    return seen


async def _seen(
    told: Mapping[str, Any], waves: Sequence[Callable[[], Coroutine[Any, Any, Any]]]
) -> list[Memory]:
    """Start a wave, look at the memory when all of it waits, and the same with the next."""
    seen, opened = [], psutil.Process().num_fds()
    if told["traced"]:
        tracemalloc.start()

    async with anyio.create_task_group() as tasks:
        for wave, count in zip(waves, (FIRST, told["devices"]), strict=True):
            opened += count
            tasks.start_soon(wave)
            with anyio.fail_after(WAIT):  # as long as the first one waits
                await _until_idle(opened)

            seen.append(Memory.now())

        tasks.cancel_scope.cancel()

    return seen


async def _until_idle(opened: int) -> None:
    """Wait until so many descriptors are open, and nothing happens any more."""
    process, idle = psutil.Process(), False
    while not idle:
        before = time.process_time()
        await anyio.sleep(_INTERVAL)
        idle = time.process_time() - before < _IDLE and process.num_fds() >= opened


def _specs(told: Mapping[str, Any]) -> Iterator[ShardSpec]:
    """Describe both waves."""
    transport, _, session = told["kind"].partition("_")
    settings = Settings(
        id_scope=told["id_scope"],
        endpoint=told["host"],
        timeout=4.0 * WAIT,
        mqtt_session=session or None,
    )
    options = RunOptions(
        settings=settings,
        transports=(transport,),
        arrivals=Burst(),
        journal="memory",
        min_poll_interval=0.0,
    )
    folder, begin = Path(told["folder"]), 0
    devices = LocalEmulator.for_run(folder).devices(FIRST + told["devices"])
    for count in (FIRST, told["devices"]):
        yield ShardSpec(
            run_id="holds",
            options=with_address(options, told),
            shard=0,
            source=DeviceSlice(devices=devices, begin=begin, count=count),
            folder=folder / f"wave-{begin}",
        )
        begin += count


def measure(kind: str, devices: int) -> dict[str, Any]:
    """Return the bytes that each device holds, and of what."""
    plain, traced = (_in_a_process(kind, devices, traced=each) for each in (False, True))
    return {
        "kind": kind,
        "devices": devices,
        "resident": plain["resident"],
        "c": plain["malloc"] - traced["large"],
        "suspended": traced["suspended"],
        "python": traced["python"],
    }


def _in_a_process(kind: str, devices: int, *, traced: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        for begin in (0, FIRST):
            (folder / f"wave-{begin}").mkdir(parents=True)

        emulator = LocalEmulator.for_run(folder)
        emulator.create()
        with emulator.running(retry_after=WAIT, state=None) as facts:
            told = {
                "folder": str(folder),
                "kind": kind,
                "devices": devices,
                "traced": traced,
                **facts,
            }
            command = [sys.executable, "-m", "benchmarks.holds", "--told", json.dumps(told)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)

    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Format as Markdown: a row for each part, a column for each kind of device."""
    columns = [_parts(run) for run in runs]
    listed = _listed(columns)
    rest = [sum(each.values()) - sum(each[name] for name in listed) for each in columns]
    rows = [
        *((name, [each[name] for each in columns]) for name in listed),
        ("all others", rest),
        ("**in use**", [sum(each.values()) for each in columns]),
        ("**resident**", [run["resident"] / 1000 for run in runs]),
    ]
    lines = [f"| kB | {' | '.join(run['kind'] for run in runs)} |"]
    lines.append(f"| --- |{' --: |' * len(runs)}")
    for name, cells in rows:
        lines.append(f"| {name} | {' | '.join(f'{each:.1f}' for each in cells)} |")

    return "\n".join([*lines, ""])


def _parts(run: Mapping[str, Any]) -> defaultdict[str, float]:
    """Return the kilobytes of each part."""
    parts = {_C: run["c"], _SUSPENDED: run["suspended"], **run["python"]}
    return defaultdict(float, {name: size / 1000 for name, size in parts.items()})


def _listed(columns: Sequence[Mapping[str, float]]) -> list[str]:
    """Name what is worth a row: first what is of no package, then the largest."""
    most: dict[str, float] = {}
    for name, size in chain.from_iterable(each.items() for each in columns):
        most[name] = max(size, most.get(name, 0.0))

    ordered = sorted(most, key=lambda name: (name not in {_C, _SUSPENDED}, -most[name]))
    return [name for name in ordered if most[name] >= LEAST or name in {_C, _SUSPENDED}]


def main() -> None:
    """Measure each kind; print, and write if it was said where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--out", type=Path, help="folder for results")
    parser.add_argument("--told", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.told is not None:
        hold(options.told)
        return

    facts = environment({"wait_seconds": WAIT})
    runs = [measure(kind, options.devices) for kind in options.kinds]
    written = table(runs)
    print(written)
    if options.out is not None:
        text = json.dumps({"environment": facts, "runs": runs}, indent=1)
        (options.out / "holds.json").write_text(f"{text}\n", encoding="utf-8")
        (options.out / "holds.md").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
