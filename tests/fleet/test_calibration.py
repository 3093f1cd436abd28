"""What the harness itself adds to a latency is measured, and said."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.fleet.fleets import options
from tests.fleet.plan.test_run_file import run_of
from tests.fleet.report.test_thresholds import summary_of
from tests.fleet.samples import sample

from aiodps.fleet.calibration import calibrate, calibration_figures, cpu_seconds, null_options
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Open
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import EmulatorOptions
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.run.launch import Stop
from aiodps.settings import Settings


def test_the_plan_stays_and_the_waits_go() -> None:
    """The same arrivals, transports, shards, seed and limit; an emulator of its own."""
    azure = Settings(id_scope="0ne1", timeout=33.0)
    plan = options(
        settings=azure,
        arrivals=Open(rate=9),
        transports=("mqtt", "rest"),
        shards=3,
        seed=4,
        min_poll_interval=2.0,
        ports={"rest": 9},
    )
    null = null_options(plan)

    assert (null.arrivals, null.transports, null.shards, null.seed) == (
        *(plan.arrivals, plan.transports, plan.shards, plan.seed),
    )
    assert (null.max_per_minute, null.settings.timeout) == (1000, 33.0)
    assert (null.min_poll_interval, null.settings.endpoint) == (0, "127.0.0.1")
    slow = options(emulator=EmulatorOptions(assign_after=5))
    assert null_options(slow).emulator == EmulatorOptions(assign_after=0, retry_after=0)


def test_figures_and_what_they_mean() -> None:
    """p50 and p99 for each transport, the rate, and what the null service cost."""
    samples = [sample(finished=0.25 + n / 1000) for n in range(100)]
    figures = calibration_figures(summary_of(samples), emulator_cpu=0.5)

    assert figures["transports"]["rest"] == {
        "devices": 100, "failed": 0, "achieved_rate": pytest.approx(100 / 0.349),
        "p50": 0.299, "p99": 0.348,
    }  # fmt: skip
    first, last = figures["sentences"]
    assert "over rest" in first
    assert "p50 299 ms and p99 348 ms at 287/s" in first
    assert "5.00 ms of CPU time a device" in last


def test_a_calibration_that_failed_says_so() -> None:
    """Nothing is claimed of what is not known."""
    samples = [sample(), sample(outcome=Outcome.FAILED)]
    limited = {"limited": True, "why": ["a core was busy"]}
    figures = calibration_figures(summary_of(samples, generator=limited), emulator_cpu=None)

    assert figures["emulator_cpu"] is None
    assert "Devices failed in the calibration" in figures["sentences"][1]
    assert figures["sentences"][2:] == ["The generator limited the calibration: a core was busy."]


def test_the_time_of_a_process() -> None:
    """It grows; of one that does not exist it is not known."""
    spent = cpu_seconds(os.getpid())

    assert spent is None or spent > 0
    assert cpu_seconds(2**30) is None


@pytest.mark.sockets
def test_a_plan_is_carried_out(tmp_path: Path) -> None:
    """Beside the run, which keeps the figures; nothing of the null service is left."""
    folder = tmp_path / "run"
    folder.mkdir()
    source = GeneratedDevices(count=3, certificate=Path("/none"), private_key=Path("/none"))
    run_of(source, transports=("rest", "mqtt")).write(folder)
    figures = calibrate(folder, Stop(), executor=ThreadPoolExecutor)
    summary = write_results(folder, read_results(folder))

    assert {name: facts["devices"] for name, facts in figures["transports"].items()} == {
        "rest": 3, "mqtt": 3,
    }  # fmt: skip
    assert [facts["failed"] for facts in figures["transports"].values()] == [0, 0]
    assert summary["calibration"] == figures
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.calibration"}
    assert RunFile.read(tmp_path / "run.calibration").options.transports == ("rest", "mqtt")
