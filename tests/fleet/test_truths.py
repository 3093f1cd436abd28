"""What a fleet says is what happened: runs against a service whose every delay is known.

Each test says by arithmetic what must come out. In virtual time it comes out exactly.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from tests.fleet.known_runs import Measured, measured
from tests.scripted.known_service import Answer, KnownService, Span
from tests.virtual_time import on_virtual_asyncio, on_virtual_trio

from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, schedule
from aiodps.network.handshake_limiter import LEAST_CAPACITY, STALL_TIMEOUT

pytestmark = [pytest.mark.anyio, pytest.mark.simulation]
ALL_ARRIVALS = [
    pytest.param(Open(rate=50), id="open"),
    pytest.param(Open(rate=50, spacing="poisson"), id="poisson"),
    pytest.param(Open(rate=50, ramp=0.5), id="ramp"),
    pytest.param(Closed(concurrency=5), id="closed"),
    pytest.param(Burst(), id="burst"),
]
STALL: Span = (5.01, 10.0)
"""When nothing is due: rounding decides nothing."""


class Run(Protocol):
    """Runs a fleet against a service."""

    def __call__(
        self,
        service: KnownService,
        *,
        count: int,
        arrivals: Arrivals,
        shards: int = 1,
        seed: int = 0,
        min_poll_interval: float = 0.0,
        give_up_after: float = 90.0,
    ) -> Awaitable[Measured]:
        """Return what the fleet says."""
        ...


@pytest.fixture(params=["rest", "mqtt"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run fleets by each transport."""
    return partial(measured, folder=tmp_path, monkeypatch=monkeypatch, transports=(request.param,))


def latency(sample: Sample) -> float:
    """Return what whoever waits for the device sees."""
    return sample.latency


def answered(started: float, *delays: float) -> float:
    """Return when the last of these answers comes from a service that is silent in `STALL`."""
    now = started
    for delay in delays:
        now += delay
        now = STALL[1] if STALL[0] <= now < STALL[1] else now

    return now


@pytest.mark.parametrize("arrivals", ALL_ARRIVALS)
@on_virtual_asyncio
async def test_constant_delays(run: Run, arrivals: Arrivals) -> None:
    """50 ms for TLS, 200 for the register request, 100 for the poll: so it is told, each apart."""
    service = KnownService(lambda *_: Answer(register=0.2, poll=0.1), handshake=0.05)
    fleet = await run(service, count=20, arrivals=arrivals)
    figures = fleet.summary()

    assert fleet.each(latency) == pytest.approx([0.35] * 20)
    assert service.times("connect") == pytest.approx(sorted(fleet.each(lambda s: s.started)))
    assert {name: figures["phases"][name]["p99"] for name in ("tls", "register", "poll")} == {
        "tls": pytest.approx(0.05),
        "register": pytest.approx(0.2),
        "poll": pytest.approx(0.1),
    }
    planned = schedule(arrivals, 20, seed=0)
    if planned is not None:
        assert fleet.each(lambda s: s.intended) == pytest.approx(planned)


@on_virtual_trio
async def test_constant_delays_on_trio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other event loop tells the same."""
    service = KnownService(lambda *_: Answer(register=0.2, poll=0.1), handshake=0.05)
    fleet = await measured(service, tmp_path, monkeypatch, count=10, arrivals=Open(rate=50))

    assert fleet.each(latency) == pytest.approx([0.35] * 10)


@on_virtual_asyncio
async def test_every_tenth_is_late_and_shifts_nobody(run: Run) -> None:
    """At a rate, who is late makes no other device late, nor begin later."""
    service = KnownService(lambda n, _: Answer(register=0.1 if n % 10 else 2.0, poll=0.05))
    fleet = await run(service, count=40, arrivals=Open(rate=40))

    assert fleet.each(latency) == pytest.approx([0.15 if n % 10 else 2.05 for n in range(40)])
    assert service.times("connect") == pytest.approx([n / 40 for n in range(40)])
    assert fleet.summary()["latency"]["p90"] == pytest.approx(0.15)
    assert fleet.summary()["latency"]["p95"] == pytest.approx(2.05)


@on_virtual_asyncio
async def test_who_falls_into_a_stall_waits_for_its_end(run: Run) -> None:
    """The whole service is silent from second 5 to 10: latency counts from the intended start."""
    service = KnownService(lambda *_: Answer(register=0.1, poll=0.05), silent=STALL)
    fleet = await run(service, count=60, arrivals=Open(rate=5))
    expected = [answered(n / 5, 0.0, 0.1, 0.05) - n / 5 for n in range(60)]

    assert fleet.each(latency) == pytest.approx(expected)
    assert fleet.summary()["latency"]["max"] == pytest.approx(5.05)
    assert fleet.summary()["latency"]["mean"] == pytest.approx(sum(expected) / 60)


@on_virtual_asyncio
async def test_a_queue_behind_a_stall_is_in_the_latency_and_not_in_the_service_time(
    run: Run,
) -> None:
    """At a rate with two places: those who queue for a place wait, and the latency says so."""
    service = KnownService(lambda *_: Answer(register=0.1, poll=0.05), silent=STALL)
    fleet = await run(service, count=100, arrivals=Open(rate=10, concurrency=2))
    free, ends = [0.0] * 2, []
    for n in range(100):
        ends.append(answered(max(n / 10, heapq.heappop(free)), 0.0, 0.1, 0.05))
        heapq.heappush(free, ends[-1])

    assert fleet.each(latency) == pytest.approx([end - n / 10 for n, end in enumerate(ends)])
    figures = fleet.summary()
    assert figures["latency"]["p75"] > 3.0
    assert figures["service_time"]["p95"] == pytest.approx(0.15)


@on_virtual_asyncio
async def test_closed_arrivals_see_a_stall_as_often_as_there_are_places(run: Run) -> None:
    """That is what closed means: two devices of eighty wait, and the run is longer."""
    service = KnownService(lambda *_: Answer(register=0.1, poll=0.05), silent=STALL)
    fleet = await run(service, count=80, arrivals=Closed(concurrency=2))
    slow = [value for value in fleet.each(latency) if value > 0.2]

    assert slow == pytest.approx([5.05] * 2, abs=0.15)
    assert max(fleet.each(lambda s: s.finished)) == pytest.approx(80 / 2 * 0.15 + 5, abs=0.15)


@on_virtual_asyncio
async def test_the_wait_that_was_asked_for(run: Run) -> None:
    """`Retry-After` 0, 3 and 7: each waits what it was asked, and that is told apart."""
    asked = (0, 3, 7)
    service = KnownService(lambda n, _: Answer(register=0.1, poll=0.1, retry_after=asked[n % 3]))
    fleet = await run(service, count=30, arrivals=Open(rate=20))

    assert fleet.each(latency) == pytest.approx([0.2 + asked[n % 3] for n in range(30)])
    assert fleet.summary()["waited"]["requested"]["mean"] == pytest.approx(10 / 3)
    assert fleet.summary()["waited"]["backoff"]["max"] == 0.0


@on_virtual_asyncio
async def test_the_wait_that_nobody_asked_for(run: Run) -> None:
    """The same, with 2 s between polls at least: that is this side's own, a phase of its own."""
    asked = (0, 3, 7)
    service = KnownService(lambda n, _: Answer(register=0.1, poll=0.1, retry_after=asked[n % 3]))
    fleet = await run(service, count=30, arrivals=Open(rate=20), min_poll_interval=2.0)

    assert fleet.each(latency) == pytest.approx([0.2 + max(asked[n % 3], 2) for n in range(30)])
    assert fleet.summary()["waited"]["requested"]["mean"] == pytest.approx(10 / 3)
    floors = [0.0 if asked[n % 3] else 2.0 for n in range(30)]
    assert fleet.each(lambda s: s.phases.get("poll_floor", 0.0)) == pytest.approx(floors)


@on_virtual_asyncio
async def test_what_was_asked_for_is_waited_for_once(run: Run) -> None:
    """Asked to wait 3 s; then connections are refused for 4 s, which nobody asked for."""
    service = KnownService(
        lambda *_: Answer(register=0.1, poll=0.1, retry_after=3, closes=True), refuses=(3.0, 7.1)
    )
    fleet = await run(service, count=10, arrivals=Burst())

    for sample in fleet.samples:
        assert sample.phases["wait"] == pytest.approx(3.0)
        assert sample.latency == pytest.approx(0.1 + 3.0 + sample.backoff + 0.1)
        assert sample.backoff > 4.0


@on_virtual_asyncio
async def test_one_to_four_polls(run: Run) -> None:
    """Each poll is counted, on both sides, and each costs the wait before it."""
    service = KnownService(
        lambda n, _: Answer(register=0.1, poll=0.05, polls=1 + n % 4, retry_after=1)
    )
    fleet = await run(service, count=40, arrivals=Open(rate=40))
    polls = [1 + n % 4 for n in range(40)]

    assert [sample.polls for sample in fleet.samples] == polls
    assert [service.count("poll", n) for n in range(40)] == polls
    assert fleet.each(latency) == pytest.approx([0.1 + 1.05 * count for count in polls])


@on_virtual_asyncio
async def test_throttled_for_two_seconds(run: Run) -> None:
    """429 with `Retry-After: 2`: what was asked, and the jitter that the seed draws, apart."""
    throttled, accepted = Answer(register=0.1, error=429, retry_after=2), Answer(register=0.1)
    service = KnownService(lambda _, at: throttled if at < 2 else accepted)
    fleet = await run(service, count=40, arrivals=Open(rate=15), seed=7)
    jitter = [_drawn(7, sample.registration_id) * 0.4 for sample in fleet.samples]
    expected = [0.2 + 2 + jitter[n] if n < 30 else 0.1 for n in range(40)]

    assert fleet.each(latency) == pytest.approx(expected)
    assert [service.count("register", n) for n in range(40)] == [2] * 30 + [1] * 10
    assert [sample.register_requests for sample in fleet.samples] == [2] * 30 + [1] * 10
    assert [sample.throttled for sample in fleet.samples] == [1] * 30 + [0] * 10
    assert fleet.each(lambda s: s.backoff) == pytest.approx(jitter[:30] + [0.0] * 10)
    assert fleet.each(lambda s: s.phases["wait"]) == pytest.approx([2.0] * 30 + [0.0] * 10)


def _drawn(seed: int, registration_id: str) -> float:
    """Draw the first jitter of a device, as the client says that it does."""
    digest = hashlib.blake2b(f"{seed}/{registration_id}/1".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


@on_virtual_asyncio
async def test_closed_arrivals_begin_when_another_ends(run: Run) -> None:
    """Five at a time, every tenth a second late; and there are as many in flight as Little says."""
    service = KnownService(lambda n, _: Answer(register=0.1 if n % 10 else 1.0))
    fleet = await run(service, count=50, arrivals=Closed(concurrency=5))
    starts = fleet.each(lambda s: s.intended)
    ends = fleet.each(lambda s: s.finished)
    last = max(starts)
    in_flight = sum(min(end, last) - start for start, end in zip(starts, ends, strict=True)) / last

    assert sorted(starts)[5:] == pytest.approx(sorted(ends)[:45])
    assert fleet.each(latency) == pytest.approx([0.1 if n % 10 else 1.0 for n in range(50)])
    assert in_flight == pytest.approx(5)


@on_virtual_asyncio
async def test_a_burst_in_turns(run: Run) -> None:
    """All at once with six places: the N-th waits for all turns before its own."""
    service = KnownService(lambda *_: Answer(register=0.1, poll=0.05))
    fleet = await run(service, count=36, arrivals=Burst(concurrency=6))

    assert fleet.each(latency) == pytest.approx([(n // 6 + 1) * 0.15 for n in range(36)])
    assert fleet.each(lambda s: s.service_time) == pytest.approx([0.15] * 36)


@pytest.mark.parametrize(("rate", "count", "shards"), [(1000, 150, 1), (50, 30, 2)])
@on_virtual_asyncio
async def test_slow_handshakes_do_not_slow_the_arrivals(
    run: Run, rate: int, count: int, shards: int
) -> None:
    """A second for each: as many begin in a second as the rate says, whoever waits for TLS."""
    service = KnownService(lambda *_: Answer(register=0.02), handshake=1.0)
    fleet = await run(service, count=count, arrivals=Open(rate=rate), shards=shards)
    starts = [n / rate for n in range(count)]

    assert fleet.each(latency) == pytest.approx([1.02] * count)
    assert service.times("connect") == pytest.approx(starts, abs=1e-3)  # a clock for each shard
    assert fleet.each(lambda s: s.phases["tls"]) == pytest.approx([1.0] * count)
    assert fleet.each(lambda s: s.phases.get("queue", 0.0)) == [0.0] * count


@on_virtual_asyncio
async def test_a_server_that_is_slow_with_handshakes_is_seen_to_be(run: Run) -> None:
    """It does four at once, half a second each, and ten come a second: the wait is in its TLS."""
    service = KnownService(lambda *_: Answer(), handshake=0.5, handshakes_at_once=4)
    fleet = await run(service, count=40, arrivals=Open(rate=10))
    free, expected = [0.0] * 4, []
    for n in range(40):
        done = max(n / 10, heapq.heappop(free)) + 0.5
        heapq.heappush(free, done)
        expected.append(done - n / 10)

    assert fleet.each(latency) == pytest.approx(expected)
    assert fleet.each(lambda s: s.phases["tls"]) == pytest.approx(expected)


@on_virtual_asyncio
async def test_shards_share_one_schedule(run: Run) -> None:
    """The same seed: two shards begin their devices when one would have."""
    arrivals = Open(rate=50, spacing="poisson", ramp=1.0)
    fleet = await run(KnownService(lambda *_: Answer()), count=30, arrivals=arrivals, shards=2)

    assert fleet.each(lambda s: s.intended) == pytest.approx(
        schedule(arrivals, 30, seed=0), abs=1e-3
    )


@on_virtual_asyncio
async def test_refused_connections_are_lost_time(run: Run) -> None:
    """Refused for two seconds: each waits what its seed draws, and nothing was asked for."""
    service = KnownService(lambda *_: Answer(register=0.1), refuses=(0.0, 2.0))
    fleet = await run(service, count=20, arrivals=Open(rate=20))

    for sample in fleet.samples:
        assert sample.latency == pytest.approx(0.1 + sample.backoff)
        assert sample.retries >= 1
        assert sample.register_requests == 1

    assert len(service.times("refused")) == sum(sample.retries for sample in fleet.samples)


@on_virtual_asyncio
async def test_a_burst_is_limited_and_says_so(run: Run) -> None:
    """128 handshakes at once; a second each is too long to keep the others waiting."""
    service = KnownService(lambda *_: Answer(register=0.02), handshake=1.0)
    fleet = await run(service, count=160, arrivals=Burst())
    queued = [0.0] * LEAST_CAPACITY + [STALL_TIMEOUT] * (160 - LEAST_CAPACITY)

    assert fleet.each(lambda s: s.phases.get("queue", 0.0)) == pytest.approx(queued)
    assert fleet.each(latency) == pytest.approx([1.02 + wait for wait in queued])


@on_virtual_asyncio
async def test_no_register_request_is_billed_for_nothing(run: Run) -> None:
    """Four handshakes at once of a second each, ten seconds for all: five are kept in reserve."""
    service = KnownService(
        lambda *_: Answer(register=0.5, poll=0.1, retry_after=3),
        handshake=1.0,
        handshakes_at_once=4,
    )
    fleet = await run(service, count=40, arrivals=Burst(), give_up_after=10.0)
    outcomes = [sample.outcome for sample in fleet.samples]

    assert outcomes == [Outcome.ASSIGNED] * 16 + [Outcome.FAILED] * 24
    assert len(service.times("register")) == 16
    assert {sample.error_class for sample in fleet.samples[16:]} == {"ProvisioningTimeoutError"}


@on_virtual_asyncio
async def test_failures_have_a_time_of_their_own_and_make_nothing_better(run: Run) -> None:
    """One in twenty is refused, 6 s after it asked: among all that began, it has no latency."""
    refused = Answer(register=6.0, error=401, retry_after=None)
    service = KnownService(lambda n, _: Answer(register=0.1) if n % 20 else refused)
    fleet = await run(service, count=60, arrivals=Open(rate=20))
    figures = fleet.summary()

    assert figures["failed"] == 3
    assert figures["time_to_failure"]["p50"] == pytest.approx(6.0)
    assert figures["latency"]["p99"] == pytest.approx(0.1)
    assert figures["latency_of_all"]["p95"] == pytest.approx(0.1)
    assert figures["latency_of_all"]["p99"] is None
