"""Whether a generator limited its run: what spoils latencies is told, and what does not is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample
from tests.fleet.virtual_runs import PEER, Process, Run, Work, at, every
from tests.virtual_time import on_virtual_trio

from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.limits import (
    Latency,
    generator_facts,
    latency_of,
    load_reasons,
    tolerance,
)
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.report.summary import Summary, summarize

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SLOW_PEER = (0.2,) * 6


def why(summary: Summary) -> str:
    """Return the reasons of a run that was limited."""
    assert summary["generator"]["limited"]
    return "; ".join(summary["generator"]["why"])


@pytest.mark.parametrize(("stop", "period"), [(0.06, 0.1), (0.09, 0.12)])
@on_virtual_trio
async def test_a_process_that_is_stopped_regularly(stop: float, period: float) -> None:
    """Each event waits for stop^2 / (2 period) in the mean, six times a device."""
    process = Process()
    run = Run(process)
    stops = partial(every, period, partial(process.be_stopped, stop))
    summary = await run.measure(partial(run.open, 20, 400), stops)
    mean = stop**2 / (2 * period)

    assert summary["generator"]["loop_lag_mean"] == pytest.approx(mean, rel=0.1)
    assert "the event loop was late by" in why(summary)
    assert "for each device on average" in why(summary)


@pytest.mark.parametrize("moments", [[10.0], [10.0, 17.0, 24.0]], ids=["once", "three times"])
@on_virtual_trio
async def test_a_process_that_is_stopped_for_two_seconds(moments: list[float]) -> None:
    """Twenty at a time, 36 s long: a stop of 2 s is 5 % of it, and its rear is in p99."""
    process = Process()
    run = Run(process, peer=SLOW_PEER)
    stops = partial(at, moments, partial(process.be_stopped, 2.0))
    summary = await run.measure(partial(run.closed, 20, 600), stops)

    assert summary["transports"]["rest"]["latency"]["p99"] == pytest.approx(3.2, rel=0.1)
    assert summary["generator"]["loop_lag_p99"] > 1.5
    assert "the event loop was late by" in why(summary)
    assert "at p99" in why(summary)


@on_virtual_trio
async def test_a_process_that_is_stopped_once_for_a_third_of_a_second() -> None:
    """Half a minute long: more than a hundredth of the time."""
    process = Process()
    run = Run(process)
    stops = partial(at, [10.0], partial(process.be_stopped, 0.35))
    summary = await run.measure(partial(run.open, 20, 600), stops)

    assert "the event loop was late by" in why(summary)


@on_virtual_trio
async def test_other_processes_take_the_core() -> None:
    """Half of the time the process could run and does not: the kernel knows."""
    process = Process()
    run = Run(process, work=0.004)
    burners = partial(every, 0.05, partial(process.wait_for_a_core, 0.03))
    summary = await run.measure(partial(run.open, 20, 200), burners)

    assert "the event loop was late by" in why(summary)
    assert "other processes used the cores" in why(summary)


@on_virtual_trio
async def test_a_burst_that_waits_for_long() -> None:
    """A core is busy for 4 s, while all start; 20 s of waiting do not make it look idle."""
    process = Process()
    run = Run(process, peer=(*PEER, 20.0), work=0.7e-3)
    summary = await run.measure(partial(run.burst, 1000))

    assert summary["transports"]["rest"]["latency"]["p50"] > 22
    assert summary["generator"]["cpu_share"] < 0.25
    assert summary["generator"]["busy_seconds"] > 2.5
    assert "a core was over 90 % busy for" in why(summary)
    assert "in which 100 % of the devices started" in why(summary)


@on_virtual_trio
async def test_a_quota_that_stops_the_process() -> None:
    """The control group says how often it was stopped, and for how long."""
    process = Process()
    run = Run(process)
    stops = partial(every, 0.1, partial(process.be_stopped, 0.06, by_quota=True))
    summary = await run.measure(partial(run.open, 20, 200), stops)

    assert "its CPU quota (cgroup) stopped the generator for" in why(summary)
    assert "of the time, 60.0 ms at a time" in why(summary)


ARRIVALS: list[Callable[[Run, int], Work]] = [
    lambda run, count: run.open(20, count),
    lambda run, count: run.closed(5, count),
    lambda run, count: run.burst(min(count, 8)),
]


@pytest.mark.parametrize("seed", range(50))
@on_virtual_trio
async def test_a_quiet_run_is_not_limited(seed: int) -> None:
    """5 to 20 devices, few of them at once; the scheduler takes the core for some ms at times."""
    rng = random.Random(seed)  # noqa: S311 (a test's data)
    process = Process()
    run = Run(process, work=0.6e-3)

    def hiccup() -> None:
        process.wait_for_a_core(min(rng.expovariate(1 / 0.002), 0.015))

    count = rng.randint(5, 20)
    summary = await run.measure(
        partial(ARRIVALS[seed % 3], run, count), partial(every, 0.07, hiccup)
    )

    assert summary["generator"]["limited"] is False, summary["generator"]["why"]


def summary_of(*loads: GeneratorLoad | None, count: int = 40, **phases: float) -> Summary:
    """Summarize devices of 1.0 s each."""
    samples = [sample(phases=phases, started=0.0) for _ in range(count)]
    return generator_facts(loads, summarize(samples, FACTS)["transports"])


QUIET = GeneratorLoad()


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (
            {"loop_lag_p99": 0.06},
            "the event loop was late by 60.0 ms at p99, 6.00 % of latency p99",
        ),
        (
            {"loop_lag_mean": 0.01},
            "the event loop was late by 60.0 ms for each device on average, 6.00 % of latency p50",
        ),
        ({"start_lag_p99": 0.06}, "devices started late by 60.0 ms at p99, 6.00 % of latency p99"),
        ({"start_lag_p50": 0.2}, "devices started late by 200 ms at p50, 20.0 % of latency p50"),
        (
            {"busy_seconds": 3.0, "busy_devices": 0.5},
            "a core was over 90 % busy for 3.00 s, in which 50.0 % of the devices started",
        ),
        (
            {"starved_seconds": 3.0, "starved_devices": 0.5, "run_delay": 2.0},
            (
                "other processes used the cores, an emulator and other shards included: for 3.00 s "
                "the generator had work for over 90 % of one core, and in the whole run it waited "
                "2.00 s for one"
            ),
        ),
        (
            {"throttled_share": 0.02, "throttled_mean": 0.06},
            "its CPU quota (cgroup) stopped the generator for 2.00 % of the time, 60.0 ms at a time",
        ),
        ({"fds_max": 950, "fds_limit": 1000}, "950 of 1,000 file descriptors were open"),
    ],
)
def test_each_reason(load: dict[str, Any], reason: str) -> None:
    """One sentence for each, with its figures."""
    facts = summary_of(GeneratorLoad(**load))

    assert (facts["limited"], facts["why"], facts["unknown"]) == (True, [reason], None)


@pytest.mark.parametrize(
    "load",
    [
        {},
        {"loop_lag_p99": 0.05, "start_lag_p99": 0.05, "loop_lag_mean": 0.008, "loop_lag_max": 1.0},
        {"loop_lag_p999": 1.0},
        {"busy_seconds": 1.0, "busy_devices": 0.04},
        {"throttled_share": 0.005, "throttled_mean": 0.06},
        {"fds_max": 900, "fds_limit": 1000},
        {"fds_max": 900},
    ],
)
def test_what_does_not_limit(load: dict[str, Any]) -> None:
    """5 % of a latency is within what is promised; p99.9 of forty devices is not measured."""
    assert summary_of(GeneratorLoad(**load))["limited"] is False


def test_the_tail_of_a_thousand() -> None:
    """From a thousand devices on p99.9 is reported, and what spoils it is told."""
    assert summary_of(GeneratorLoad(loop_lag_p999=0.1), count=1000)["why"] == [
        "the event loop was late by 100 ms at p99.9, 10.0 % of latency p99.9"
    ]


def test_waits_of_our_own() -> None:
    """The journal and the handshake limiter are reasons by themselves."""
    assert summary_of(QUIET, journal=0.2)["why"] == [
        "devices waited for the journal 200 ms at p50, 20.0 % of latency p50"
    ]
    assert summary_of(QUIET, queue=0.2)["why"] == [
        (
            "devices waited for their turn to connect (handshake limiter) 200 ms at p50, 20.0 % "
            "of latency p50"
        )
    ]
    assert summary_of(QUIET, queue=0.04, journal=0.04)["why"] == []


def test_what_nobody_measured_is_not_known() -> None:
    """A killed session left nothing: the run may have been limited in it."""
    late = GeneratorLoad(loop_lag_p99=0.5)
    known, killed = summary_of(QUIET), summary_of(QUIET, None)

    assert (known["limited"], known["unknown"]) == (False, None)
    assert (killed["limited"], killed["why"]) == (None, [])
    assert killed["unknown"] == (
        "1 of 2 sessions left no measurement of the generator: killed, or of another version"
    )
    assert summary_of(None, late)["limited"] is True
    nobody = summary_of()
    assert (nobody["limited"], nobody["loop_lag_p99"], nobody["run_delay"]) == (None, None, None)


def test_the_quickest_transport_counts() -> None:
    """What is small against one latency may be much against another; failures count if need be."""
    quick = summarize([sample(), sample(transport="mqtt", finished=10.0)], FACTS)["transports"]
    failed = summarize([sample(outcome=Outcome.FAILED, finished=3.0)], FACTS)["transports"]

    assert latency_of(quick) == Latency(p50=1.0, p99=1.0, events=6.0)
    assert latency_of(failed) == Latency(p50=3.0, p99=3.0, events=6.0)
    assert latency_of({}) == Latency()


def test_a_latency_that_nobody_knows_tolerates_little() -> None:
    """Nothing was assigned and nothing failed: 20 ms are tolerated."""
    assert (tolerance(None), tolerance(0.1), tolerance(1.0)) == (0.02, 0.02, 0.05)
    assert list(load_reasons(GeneratorLoad(loop_lag_p99=0.021), Latency())) == [
        "the event loop was late by 21.0 ms at p99"
    ]
