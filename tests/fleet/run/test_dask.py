"""The same shards on a Dask cluster: a real scheduler and two real workers, on loopback."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.certificates import root
from tests.cli.fleet.test_run import typed
from tests.fleet.fleets import spec
from tests.fleet.servers import Server, server

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.launch import Stop, run_shards
from aiodps.pki.files import CredentialFiles

pytestmark = pytest.mark.cluster


@dataclasses.dataclass(slots=True)
class Cluster:
    """A scheduler and its workers."""

    address: str
    workers: list[subprocess.Popen[str]]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a scheduler and two workers of one thread each, as `dask` does from a shell."""
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as processes:
        scheduler = processes.enter_context(
            _process("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        )
        processes.callback(scheduler.kill)
        address = _said(scheduler, r"Scheduler at:\s+(tcp://\S+)")
        workers = []
        for number in range(2):
            worker = processes.enter_context(
                _process(
                    *("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
                    *("--host", "127.0.0.1", "--local-directory", str(folder / str(number))),
                )
            )
            processes.callback(worker.kill)
            _said(worker, r"(Registered to)")
            workers.append(worker)

        yield Cluster(address, workers)


def _process(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def _said(process: subprocess.Popen[str], pattern: str) -> str:
    """Wait until a process has said something."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found[1]

    raise AssertionError(f"{process.args!r} ended")


@pytest.fixture
def dps() -> Iterator[Server]:
    """Run an emulator in another thread."""
    with server(assign_after=0.5, retry_after=1) as running:
        yield running


def parts(dps: Server, folder: Path, count: int) -> list[ShardSpec]:
    """Part a run of issued devices into two shards."""
    folder.mkdir()
    ca = CredentialFiles(directory=folder, name="ca")
    ca.write(root())
    source = GeneratedDevices(count=count, certificate=ca.certificate, private_key=ca.private_key)
    whole = spec(dps.emulator, folder, 1, transports=("mqtt",), arrivals=Closed(concurrency=10))
    options = dataclasses.replace(whole.options, shards=2)
    return [
        dataclasses.replace(whole, options=options, source=source, shard=each) for each in range(2)
    ]


def test_the_same_as_processes(cluster: Cluster, dps: Server, tmp_path: Path) -> None:
    """Each worker has a shard, both begin together, and all devices are assigned, each once."""
    from aiodps.fleet.run.dask import DaskExecutor  # noqa: PLC0415 (an extra)

    seen: list[Progress] = []
    with DaskExecutor(cluster.address, 2) as executor:
        ends = run_shards(
            parts(dps, tmp_path / "run", 40), executor, stop=Stop(), on_progress=seen.append
        )

    assert [end.progress.assigned for end in ends] == [20, 20]
    assert sorted(dps.emulator.counts.register_requests.values()) == [1] * 40
    assert seen[-1].assigned == 40


def test_a_lost_worker_costs_time_and_no_device(
    cluster: Cluster, dps: Server, tmp_path: Path
) -> None:
    """Killed in mid-run: its shard is resumed on another worker, no device is lost."""
    from aiodps.fleet.run.dask import DaskExecutor  # noqa: PLC0415 (an extra)

    shards = parts(dps, tmp_path / "run", 60)
    with (
        dps.registered(20) as reached,
        DaskExecutor(cluster.address, 2) as executor,
        ThreadPoolExecutor(1) as pool,
    ):
        future = pool.submit(run_shards, shards, executor, stop=Stop())
        reached.wait()
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        ends = future.result()

    assert sum(end.progress.assigned for end in ends) == 60
    registers = dps.emulator.counts.register_requests
    assert len(registers) == 60
    # At the kill at most five devices of that worker were on their way.
    assert sum(registers.values()) <= 60 + 5


def test_as_it_is_typed(cluster: Cluster, tmp_path: Path) -> None:
    """`--dask` with as many shards as there are workers."""
    ended = typed(
        *("run", "--emulator", "--devices", "10", "--retry-after", "0", "--min-poll", "0"),
        *("--shards", "2", "--dask", cluster.address, "--out", tmp_path / "run", "--json"),
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["states"]["assigned"] == 10


def test_too_few_workers(cluster: Cluster) -> None:
    """Shards begin together, so each needs a worker; that is said before anything begins."""
    from aiodps.fleet.run.dask import DaskExecutor  # noqa: PLC0415 (an extra)

    with pytest.raises(ConfigurationError, match="2 worker threads, and 3 shards"):
        DaskExecutor(cluster.address, 3)


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in words, after a while."""
    from aiodps.fleet.run import dask as module  # noqa: PLC0415 (an extra)

    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 1.0)
    with pytest.raises(ConfigurationError, match="no Dask scheduler"):
        module.DaskExecutor("tcp://127.0.0.1:9", 1)
