"""F31 and F32: SIGTERM and SIGKILL to a fleet whose device is in a phase, and a resume after it.

Each shard is forked from one process that has imported everything, so that a cell costs no start.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.fleet.fleets import SETTINGS, spec
from tests.fleet.servers import server
from tests.reliability.struck_shard import ENTERED, arm

from aiodps.errors import ResourceError
from aiodps.fleet.journal.journal import Journal, State, journal_path
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.launch import Stop, run_shards

pytestmark = pytest.mark.processes
DEVICES = 2
KILLED = {
    **dict.fromkeys(("DNS", "TCP", "TLS", "SEND"), State.PLANNED),
    "ANSWER": State.SENT,
    **dict.fromkeys(("POLL", "FINAL", "CLEAN"), State.OPERATION),
}
"""What the journal says of a device whose shard is killed in a phase."""
each_phase = pytest.mark.parametrize("phase", ["DNS", *ENTERED])
each_transport = pytest.mark.parametrize("transport", ["rest", "mqtt"])


@functools.cache
def forkserver() -> multiprocessing.context.ForkServerContext:
    """Start the process from which shards are forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["aiodps.fleet.run.shard", "tests.reliability.struck_shard"])
    return context


def struck(shard: ShardSpec, phase: str, number: int) -> list[State]:
    """Run a shard that a signal strikes; return what its journal says of each device."""
    arming = (phase, number, os.getpid(), shard.folder)
    stop = Stop()
    with (
        stop.handling_signals(),
        ProcessPoolExecutor(1, forkserver(), initializer=arm, initargs=arming) as pool,
        pytest.raises(ResourceError) if number == signal.SIGKILL else nullcontext(),
    ):
        run_shards([shard], pool, stop=stop)

    assert stop.signal == (None if number == signal.SIGKILL else number)
    return states(shard)


def states(shard: ShardSpec) -> list[State]:
    """Read the journal."""
    with Journal.open(journal_path(shard.folder, 0)) as journal:
        return [entry.state for entry in journal.entries()]


def resumed(shard: ShardSpec) -> list[State]:
    """Run what is left, in a thread."""
    with ThreadPoolExecutor(1) as pool:
        run_shards([shard], pool, stop=Stop())

    return states(shard)


@each_transport
@each_phase
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["F31", "F32"])
def test_a_signal_in_each_phase(number: int, phase: str, transport: str, tmp_path: Path) -> None:
    """All are assigned in the end, and nobody is registered twice whose answer was not lost."""
    with server() as dps:
        settings = SETTINGS.replace(endpoint="localhost")
        options = {"arrivals": Closed(concurrency=1), "transports": (transport,)}
        shard = spec(dps.emulator, tmp_path, DEVICES, settings=settings, **options)
        left = struck(shard, phase, number)
        unsure = left.count(State.SENT)
        ended = resumed(shard)
        registers = dps.emulator.counts.register_requests

    assert left[0] is (State.ASSIGNED if number == signal.SIGTERM else KILLED[phase])
    assert ended == [State.ASSIGNED] * DEVICES
    assert len(registers) == DEVICES
    assert DEVICES <= sum(registers.values()) <= DEVICES + unsure
