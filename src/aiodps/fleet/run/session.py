"""One session of a shard: from opening its journal until its devices have ended or it stops."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Self

import anyio

from aiodps.errors import JournalError
from aiodps.fleet.journal.background import background_task
from aiodps.fleet.journal.journal import Entry, Journal, State, journal_path
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.journal.writer import JournalWriter
from aiodps.fleet.measure.generator_load import GeneratorLoad, SelfMonitor, raise_fd_limit
from aiodps.fleet.measure.progress import Progress, ProgressCounter
from aiodps.fleet.measure.records import changed
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Open, Staged, schedule, share
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.engine import Engine, Job, remaining_jobs
from aiodps.fleet.run.pacer import Pacer
from aiodps.fleet.run.schedule import SessionStarts, session_starts
from aiodps.network.handshake_limiter import lift_handshake_limit

START_DELAY = 0.1
"""Seconds between the call of `run` and the first device, for everything to be ready."""
MAX_LATE = 1.0
"""Seconds that a session may be late and still keep the common start: its first devices start
late, which is measured. One that is later would start a burst of devices, and starts now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """Result of a session of a shard. The measurements of devices are in the journal."""

    shard: int
    progress: Progress
    generator_load: GeneratorLoad
    seconds: float
    """From the start of the session to the end of its last device."""


class Session:
    """A session of a shard in this event loop: `with Session(spec) as s: await s.run()`.

    Entering opens or creates the journal, and loads the remaining devices; nothing is sent.
    """

    def __init__(self, spec: ShardSpec, *, retry_failed: bool = False) -> None:
        """Prepare a session; `retry_failed` tries failed devices once more."""
        self._spec = spec
        self._retry_failed = retry_failed
        self._resources = ExitStack()
        self._engine: Engine | None = None
        self._monitor: SelfMonitor | None = None
        self._early_orders: list[Callable[[Engine], None]] = []
        self._jobs: deque[Job] = deque()

    def __enter__(self) -> Self:
        """Open the journal, and load the remaining devices.

        Raises:
            JournalError: If the journal cannot be opened or created.
            ResourceError: If this machine does not allow that many devices in flight.
            ProvisioningError: If a credential cannot be read or issued.
        """
        spec = self._spec
        with ExitStack() as resources:
            self._journal = resources.enter_context(open_journal(spec))
            entries = self._journal.entries()
            self._jobs = deque(_load_jobs(spec, entries, retry_failed=self._retry_failed))
            self._arrivals = share(spec.options.arrivals, spec.shard, spec.options.shards)
            raise_fd_limit(_max_in_flight(self._arrivals, len(self._jobs)))
            states = [entry.state for entry in entries]
            failed = 0 if self._retry_failed else states.count(State.FAILED)
            self._progress = ProgressCounter(
                total=len(entries), assigned=states.count(State.ASSIGNED), failed=failed
            )
            self._resources = resources.pop_all()

        # Now, and not while devices start: what was loaded is not looked through again soon.
        gc.collect()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    async def run(self, *, at: float | None = None, skew: float | None = None) -> SessionEnd:
        """Provision the remaining devices.

        Args:
            at: When to start, in seconds since 1970; None, and a time that passed more than
                `MAX_LATE` seconds ago, for now.
            skew: How many seconds this machine's clock is ahead of the one that `at` is of; None
                if nobody knows.

        Raises:
            JournalError: If the journal could not be written.
        """
        now = time.time() - (skew or 0.0)
        start = now + START_DELAY if at is None or now > at + MAX_LATE else at
        begin = anyio.current_time() + start - now
        starts = self._starts(start, skew)
        self._journal.write([], starts.session)
        monitor = self._monitor = SelfMonitor(begin=begin)
        engine = self._engine = Engine(
            self._spec.options, shard=self._spec.shard, progress=self._progress, monitor=monitor
        )
        for order in self._early_orders:
            order(engine)

        if isinstance(self._arrivals, Open | Staged):
            # The rate is what the service is tested with: nothing here may lower it. In a
            # burst, honest servers would lose devices without the limit (docs/design/0013).
            lift_handshake_limit()

        so_far = functools.partial(_so_far, starts.session, engine, begin)
        try:
            async with background_task(monitor.run):
                await self._provision(engine, starts, so_far, begin)
        except BaseException:
            with contextlib.suppress(JournalError):
                self._write_end(so_far, monitor)

            raise

        self._write_end(so_far, monitor)
        return SessionEnd(
            shard=self._spec.shard,
            progress=self._progress.progress(),
            generator_load=monitor.generator_load(),
            seconds=anyio.current_time() - begin,
        )

    def _starts(self, start: float, skew: float | None) -> SessionStarts:
        """Return when each remaining device starts in a session that starts now."""
        options, entries = self._spec.options, [job.entry for job in self._jobs]
        count = max((entry.number for entry in entries), default=-1) + 1
        return session_starts(
            entries,
            schedule(options.arrivals, count, seed=options.seed),
            self._journal.sessions(),
            started=start,
            skew=skew,
            shard=self._spec.shard,
            shards=options.shards,
        )

    async def _provision(
        self,
        engine: Engine,
        starts: SessionStarts,
        so_far: Callable[[], SessionFacts],
        begin: float,
    ) -> None:
        """Run the engine; all that it writes is in the journal when this returns."""
        options = self._spec.options
        limit = options.max_per_minute and options.max_per_minute / options.shards
        pacer = Pacer(self._arrivals, starts.due, zero=begin, limit_rate=limit)
        jobs = _taken(self._jobs, starts.first_intended)
        async with JournalWriter.running(
            self._journal, session=so_far, durable=options.durable
        ) as writer:
            await engine.run(jobs, pacer, writer, zero=begin - starts.session.began)

    def _write_end(self, so_far: Callable[[], SessionFacts], monitor: SelfMonitor) -> None:
        """Write that the session has ended: of one that was killed, nothing says so."""
        load = asdict(monitor.generator_load())
        self._journal.write([], dataclasses.replace(so_far(), ended=True, generator_load=load))

    def drain(self) -> None:
        """Start no more devices; devices in flight have `engine.GRACE` seconds to end."""
        self._tell(Engine.drain)

    def halt(self) -> None:
        """Stop at once; devices in flight can be resumed."""
        self._tell(Engine.halt)

    def entries(self) -> tuple[Entry, ...]:
        """Return the shard's entries as they are in its journal; not while `run` writes to it.

        Raises:
            JournalError: If the journal cannot be read.
        """
        return tuple(self._journal.entries())

    def sessions(self) -> tuple[SessionFacts, ...]:
        """Return the facts of each session of the shard, oldest first."""
        return tuple(self._journal.sessions())

    def progress(self) -> Progress:
        """Return the progress so far."""
        lag = 0.0 if self._monitor is None else self._monitor.recent_loop_lag()
        return replace(self._progress.progress(), loop_lag=lag)

    def _tell(self, order: Callable[[Engine], None]) -> None:
        if self._engine is None:
            self._early_orders.append(order)
        else:
            order(self._engine)


def _so_far(facts: SessionFacts, engine: Engine, begin: float) -> SessionFacts:
    """Return the facts of a session as of now."""
    stopped = None if engine.stopped is None else max(0.0, engine.stopped - begin)
    return changed(facts, seconds=max(0.0, anyio.current_time() - begin), stopped=stopped)


def open_journal(spec: ShardSpec) -> Journal:
    """Open the journal of a shard, or create it."""
    path, durable = journal_path(spec.folder, spec.shard), spec.options.durable
    if path.exists():
        return Journal.open(path, run_id=spec.run_id, durable=durable)

    return Journal.create(
        path, run_id=spec.run_id, shard=spec.shard, entries=planned(spec), durable=durable
    )


def planned(spec: ShardSpec) -> list[Entry]:
    """Return the entries of a shard before anything was sent."""
    ids = spec.source.registration_ids()
    return [
        Entry(number=number, registration_id=ids[index], transport=transport)
        for number, (index, transport) in enumerate(spec.options.registrations(len(ids)))
        if spec.options.shard_of(number) == spec.shard
    ]


def _load_jobs(spec: ShardSpec, entries: Sequence[Entry], *, retry_failed: bool) -> list[Job]:
    """Load the devices of registrations that have not ended, and no others."""
    remaining = {
        entry.registration_id for entry in entries if not entry.state.final or retry_failed
    }
    indices = [i for i, name in enumerate(spec.source.registration_ids()) if name in remaining]
    devices = {device.registration_id: device for device in spec.source.load(indices)}
    return remaining_jobs(entries, devices, retry_failed=retry_failed)


def _taken(jobs: deque[Job], first_intended: Iterable[float | None]) -> Iterator[Job]:
    """Take jobs one by one: a device that has ended gives back its certificate and key."""
    for first in first_intended:
        job = jobs.popleft()
        yield Job(job.entry, job.device, first)


def _max_in_flight(arrivals: Arrivals, count: int) -> int:
    """Return how many devices may be in flight at once; 0 for a rate alone: it is unknown."""
    if arrivals.concurrency is not None:
        return min(arrivals.concurrency, count)

    return count if isinstance(arrivals, Burst) else 0
