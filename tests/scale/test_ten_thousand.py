"""Ten thousand devices from register to assigned, emulator included, on whatever this machine is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.fleet.plan.test_run_file import run_of

from aiodps.fleet.local_emulator import LocalEmulator, with_address
from aiodps.fleet.measure.limits import latency_of, load_reasons
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.run.launch import Stop, process_pool, run_shards
from aiodps.settings import Settings

pytestmark = pytest.mark.scale

DEVICES = int(os.environ.get("AIODPS_FLEET_SCALE", "10000"))
MOST_MEMORY = 1.5e9
"""Bytes, of every process together."""
AT_ONCE = 600


class Memory:
    """Looks at how much memory this process and all below it have; shared pages count once."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look twice a second until the block ends."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        here = psutil.Process()
        while not self._over.wait(0.5):
            total = 0
            for process in [here, *here.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += process.memory_full_info().pss

            self.most = max(self.most, total)


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
def test_ten_thousand(transport: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All assigned, exact counts on both sides, under 1.5 GB in all, and nothing left behind."""
    local_emulator, memory = LocalEmulator.for_run(tmp_path / "run"), Memory()
    local_emulator.create()
    (tmp_path / "run").mkdir()
    source = local_emulator.devices(DEVICES)
    with memory.watched(), local_emulator.running(admin_port=0) as facts:
        emulator = psutil.Process(facts["pid"])
        before = _descriptors(emulator)
        options = RunOptions(
            settings=Settings(id_scope="0ne00000000", endpoint="127.0.0.1", timeout=180.0),
            transports=(transport,),
            arrivals=Closed(concurrency=AT_ONCE),
        )
        run = dataclasses.replace(run_of(source), options=with_address(options, facts))
        run.write(tmp_path / "run")
        spec = ShardSpec(
            run_id=run.run_id,
            options=run.options,
            shard=0,
            source=source,
            folder=tmp_path / "run",
        )
        began = time.monotonic()
        with process_pool(1) as executor:
            (end,) = run_shards([spec], executor, stop=Stop())

        seconds = time.monotonic() - began
        counted = registers_of(local_emulator)
        deadline = time.monotonic() + 10
        while (left := _descriptors(emulator)) > before + 2 and time.monotonic() < deadline:
            time.sleep(0.1)

    results = read_results(tmp_path / "run")
    transports = write_results(tmp_path / "run", results)["transports"]
    units = transports[transport]
    reasons = load_reasons(end.generator_load, latency_of(transports))
    with capsys.disabled():
        print(  # noqa: T201 (a measurement)
            f"\n{transport}: {DEVICES} devices in {seconds:.1f} s with start-up, "
            f"{units['achieved_rate']:.0f}/s, p50 {units['latency']['p50']:.2f} s, "
            f"p99 {units['latency']['p99']:.2f} s, {memory.most / 1e6:.0f} MB in all, "
            f"{end.generator_load.fds_max} descriptors, {end.generator_load.cpu_share:.2f} cores, "
            f"{'; '.join(reasons) or 'not limited'}"
        )

    outcomes = Counter(sample.outcome for sample in results.samples)
    assert outcomes == {Outcome.ASSIGNED: DEVICES}
    assert counted == {
        sample.registration_id: sample.register_requests for sample in results.samples
    }
    assert memory.most < MOST_MEMORY
    assert left <= before + 2
    assert (end.progress.in_flight, end.progress.left) == (0, 0)
    left_behind = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
    assert not [line for line in left_behind if "resource_tracker" not in line]  # Python's own


def registers_of(local_emulator: LocalEmulator) -> dict[str, int]:
    """Ask the emulator for its own counts."""
    facts = json.loads(local_emulator.folder.joinpath("emulator.json").read_text())
    answer = httpx.get(
        f"{facts['admin_url']}/api/counts",
        headers={"Authorization": f"Bearer {facts['admin_token']}"},
        trust_env=False,
    )
    counts: dict[str, int] = answer.raise_for_status().json()["register_requests"][
        "by_registration_id"
    ]
    return counts


def _descriptors(emulator: psutil.Process) -> int:
    """Count the descriptors of the emulator."""
    return sum(each.num_fds() for each in [emulator, *emulator.children(recursive=True)])
