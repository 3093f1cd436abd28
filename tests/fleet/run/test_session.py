"""A shard's session against an emulator: counts, resuming, stopping."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests.emulated import emulator
from tests.fleet.fleets import NEVER, awaited, given, release, spec

from aiodps.emulator.protocol.messages import Operation
from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Entry, Journal, State, journal_path
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Burst, Closed, Open
from aiodps.fleet.plan.devices import Device, DeviceSource
from aiodps.fleet.run import engine
from aiodps.fleet.run.session import Session
from aiodps.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

BOTH = pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")],
)
ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def entries(folder: Path) -> list[Entry]:
    """Read what the journal says."""
    with Journal.open(journal_path(folder, 0)) as journal:
        return journal.entries()


@BOTH
async def test_every_registration_is_counted_once(transport: str, tmp_path: Path) -> None:
    """All assigned, each registered once, as the emulator counts too; nothing is in flight."""
    async with emulator() as dps:
        with Session(spec(dps, tmp_path, 20, transports=(transport,))) as session:
            end = await session.run()

    assert (end.progress.assigned, end.progress.failed, end.progress.in_flight) == (20, 0, 0)
    assert dps.counts.register_requests == dict.fromkeys(given(20).registration_ids(), 1)
    written = entries(tmp_path)
    assert {entry.state for entry in written} == {State.ASSIGNED}
    for entry in written:
        assert entry.sample is not None
        assert entry.sample.device_id == entry.registration_id
        assert entry.sample.register_requests == entry.sent == 1
        assert 0 <= entry.sample.intended <= entry.sample.started < entry.sample.finished
        known = sum(entry.sample.phases.values()) + entry.sample.backoff
        assert known <= entry.sample.service_time + 0.001


@ASYNCIO
async def test_two_transports_over_the_same_devices(tmp_path: Path) -> None:
    """Each device registers over both, and they alternate."""
    async with emulator() as dps:
        with Session(spec(dps, tmp_path, 6, transports=("rest", "mqtt"))) as session:
            await session.run()

    assert dps.counts.register_requests == dict.fromkeys(given(6).registration_ids(), 2)
    assert [entry.transport for entry in entries(tmp_path)] == ["rest", "mqtt"] * 6


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_native_session(tmp_path: Path) -> None:
    """`--native` is the session of all devices."""
    async with emulator() as dps:
        shard = spec(dps, tmp_path, 2, transports=("mqtt",))
        settings = shard.options.settings.replace(mqtt_session="native")
        native = dataclasses.replace(shard.options, settings=settings)
        with Session(dataclasses.replace(shard, options=native)) as session:
            end = await session.run()

    assert end.progress.assigned == 2


class _Watched(Device):
    """A device that a weak reference can be made to."""


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A source that loads each device anew, and does not keep it."""

    inner: DeviceSource
    loaded: list[weakref.ref[Device]] = dataclasses.field(default_factory=list)

    def registration_ids(self) -> Sequence[str]:
        return self.inner.registration_ids()

    def prepare(self, indices: Sequence[int]) -> None:
        self.inner.prepare(indices)

    def load(self, indices: Sequence[int]) -> list[Device]:
        devices: list[Device] = [
            _Watched(registration_id=each.registration_id, attestation=each.attestation)
            for each in self.inner.load(indices)
        ]
        self.loaded.extend(map(weakref.ref, devices))
        return devices


@ASYNCIO
async def test_devices_that_have_ended_are_let_go(tmp_path: Path) -> None:
    """A hundred thousand certificates and keys need not stay until the last device has ended."""
    async with emulator() as dps:
        shard = spec(dps, tmp_path, 3)
        source = _Loaded(shard.source)
        with Session(dataclasses.replace(shard, source=source)) as session:
            assert all(each() is not None for each in source.loaded)
            await session.run()
            gc.collect()

            assert [each() for each in source.loaded] == [None, None, None]


@ASYNCIO
async def test_no_more_than_so_many_at_a_time(tmp_path: Path) -> None:
    """A closed run has as many in flight as it may, and no more."""
    most = 0
    async with emulator(assign_after=0.05) as dps:
        with Session(spec(dps, tmp_path, 12, arrivals=Closed(concurrency=3))) as session:

            async def look() -> None:
                nonlocal most
                while True:
                    most = max(most, session.progress().in_flight)
                    await anyio.lowlevel.checkpoint()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look)
                await session.run()
                tasks.cancel_scope.cancel()

    assert most == 3


@ASYNCIO
async def test_an_open_run_counts_from_the_schedule(tmp_path: Path) -> None:
    """The intended starts are those of the schedule, whatever the service does."""
    async with emulator() as dps:
        with Session(spec(dps, tmp_path, 10, arrivals=Open(rate=100))) as session:
            await session.run()

    intended = [entry.sample.intended for entry in entries(tmp_path) if entry.sample]
    assert intended == pytest.approx([number / 100 for number in range(10)])


@ASYNCIO
async def test_failures_are_samples_too(tmp_path: Path) -> None:
    """What the service refuses is counted, with its code and tracking id, and not tried again."""
    async with emulator() as dps:
        refused = spec(
            dps,
            tmp_path,
            4,
            settings=Settings(id_scope="0ne0000dead", endpoint="127.0.0.1"),
        )
        with Session(refused) as session:
            end = await session.run()

        with Session(refused) as session:
            again = await session.run()

    assert end.progress.failed == again.progress.failed == 4
    (name,) = end.progress.errors
    assert end.progress.errors[name] == 4
    for entry in entries(tmp_path):
        assert entry.sample is not None
        assert entry.sample.outcome is Outcome.FAILED
        assert entry.sample.error_code is not None
        assert entry.sample.tracking_id


@ASYNCIO
async def test_failed_ones_are_tried_again_if_told(tmp_path: Path) -> None:
    """`retry_failed` retries failed devices, and skips the others."""
    async with emulator() as dps:
        wrong = spec(dps, tmp_path, 4)
        with Journal.create(
            _made(journal_path(tmp_path, 0)),
            run_id="run-1",
            shard=0,
            entries=[
                Entry(
                    number=n,
                    registration_id=name,
                    transport="rest",
                    state=State.FAILED if n % 2 else State.ASSIGNED,
                )
                for n, name in enumerate(wrong.source.registration_ids())
            ],
        ):
            pass

        with Session(wrong, retry_failed=True) as session:
            end = await session.run()

    assert (end.progress.assigned, end.progress.failed) == (4, 0)
    assert sorted(dps.counts.register_requests) == ["fleet-001", "fleet-003"]


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    return path


@BOTH
async def test_a_halted_run_goes_on_where_it_was(transport: str, tmp_path: Path) -> None:
    """Stopped while operations are under way: they are polled, not registered again."""
    async with emulator(assign_after=NEVER) as dps:
        shard = spec(dps, tmp_path, 6, transports=(transport,), arrivals=Burst())
        with Session(shard) as session, awaited(dps, Operation.REGISTER, 6) as registered:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.run)
                await registered.wait()
                session.halt()

        release(dps)
        states = [entry.state for entry in entries(tmp_path)]
        assert State.ASSIGNED not in states
        outcomes = {entry.sample.outcome for entry in entries(tmp_path) if entry.sample}
        assert outcomes == {Outcome.INTERRUPTED}
        with Session(shard) as session:
            end = await session.run()

    assert end.progress.assigned == 6
    unsure = states.count(State.SENT)
    assert sum(dps.counts.register_requests.values()) <= 6 + unsure
    assert {entry.sample.outcome for entry in entries(tmp_path) if entry.sample} == {
        Outcome.ASSIGNED
    }


@ASYNCIO
async def test_drained_running_devices_end_and_no_others_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to drain: what runs is finished, what has not begun is left as planned."""
    monkeypatch.setattr(engine, "GRACE", NEVER)
    async with emulator(assign_after=NEVER) as dps:
        shard = spec(dps, tmp_path, 20, arrivals=Closed(concurrency=4))
        with Session(shard) as session:
            session.drain()
            nothing = await session.run()

        with Session(shard) as session, awaited(dps, Operation.REGISTER, 4) as registered:
            async with anyio.create_task_group() as tasks:

                async def drain() -> None:
                    await registered.wait()
                    session.drain()
                    release(dps)

                tasks.start_soon(drain)
                end = await session.run()

    assert nothing.progress.assigned == 0
    states = [entry.state for entry in entries(tmp_path)]
    assert end.progress.assigned == states.count(State.ASSIGNED) == 4
    assert states.count(State.PLANNED) == 16


@ASYNCIO
async def test_times_of_all_sessions_count_from_the_first(tmp_path: Path) -> None:
    """A device of the second session begins later than all of the first."""
    async with emulator() as dps:
        shard = spec(dps, tmp_path, 1, arrivals=Closed(concurrency=1))
        with Session(shard) as session:
            session.drain()
            await session.run()

        with Session(shard) as session:
            started = session.sessions()[0].started
            await session.run()

    (entry,) = entries(tmp_path)
    with Journal.open(journal_path(tmp_path, 0)) as journal:
        second = journal.sessions()[1].started

    assert entry.sample is not None
    assert entry.sample.intended == pytest.approx(second - started)


@ASYNCIO
async def test_a_run_whose_journal_is_another_runs(tmp_path: Path) -> None:
    """It is refused before anything is sent."""
    async with emulator() as dps:
        with Session(spec(dps, tmp_path, 1)):
            pass

        other = dataclasses.replace(spec(dps, tmp_path, 1), run_id="run-2")
        with pytest.raises(JournalError, match="another run"):
            Session(other).__enter__()

    assert not dps.counts.register_requests
