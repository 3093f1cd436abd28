"""One session of a shard: from opening its journal until its devices have ended or it stops."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Self

import anyio

from aiodps.fleet.journal.background import background_task
from aiodps.fleet.journal.journal import Entry, Journal, State, journal_path
from aiodps.fleet.measure.generator_load import GeneratorLoad, SelfMonitor, raise_fd_limit
from aiodps.fleet.measure.progress import Progress, ProgressCounter
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Open, Staged, schedule, share
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.engine import Engine, Job, remaining_jobs
from aiodps.fleet.run.pacer import Pacer
from aiodps.network.handshake_limiter import lift_handshake_limit

START_DELAY = 0.1
"""Seconds between the call of `run` and the first device, for everything to be ready."""


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
        """Set up; `retry_failed` tries failed devices once more."""
        self._spec = spec
        self._retry_failed = retry_failed
        self._resources = ExitStack()
        self._engine: Engine | None = None
        self._early_orders: list[Callable[[Engine], None]] = []
        self._jobs: list[Job] = []

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
            self._entries = {entry.number: entry for entry in entries}
            self._jobs = _load_jobs(spec, entries, retry_failed=self._retry_failed)
            self._arrivals = share(spec.options.arrivals, spec.shard, spec.options.shards)
            raise_fd_limit(_max_in_flight(self._arrivals, len(self._jobs)))
            states = [entry.state for entry in entries]
            failed = 0 if self._retry_failed else states.count(State.FAILED)
            self._progress = ProgressCounter(
                total=len(entries), assigned=states.count(State.ASSIGNED), failed=failed
            )
            self._resources = resources.pop_all()

        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    async def run(self, *, at: float | None = None) -> SessionEnd:
        """Provision the remaining devices.

        Args:
            at: When to start, in seconds since 1970; None for now.

        Raises:
            JournalError: If the journal could not be written.
        """
        spec, sessions = self._spec, self._journal.sessions()
        gc.collect()
        start = time.time() + START_DELAY if at is None else at
        begin = anyio.current_time() + start - time.time()
        # The times of all sessions count from the start of the first one.
        zero = begin - (start - sessions[0]["started"] if sessions else 0.0)
        number = len(sessions)
        self._journal.write_session(number, {"started": start})
        monitor = SelfMonitor()
        engine = Engine(
            spec.options,
            shard=spec.shard,
            journal=self._journal,
            progress=self._progress,
            monitor=monitor,
        )
        self._engine = engine
        for order in self._early_orders:
            order(engine)

        if isinstance(self._arrivals, Open | Staged):
            # How the service stands the rate is what is measured: nothing here may lower it.
            lift_handshake_limit()

        pacer = self._pacer(begin)
        async with background_task(monitor.run):
            await engine.run(self._jobs, pacer, zero=zero)

        self._entries |= engine.written
        end = SessionEnd(
            shard=spec.shard,
            progress=self._progress.progress(),
            generator_load=monitor.generator_load(),
            seconds=anyio.current_time() - begin,
        )
        self._journal.write_session(
            number,
            {
                "started": start,
                "seconds": end.seconds,
                "generator_load": asdict(end.generator_load),
            },
        )
        return end

    def drain(self) -> None:
        """Start no more devices; devices in flight have `engine.GRACE` seconds to end."""
        self._tell(Engine.drain)

    def halt(self) -> None:
        """Stop at once; devices in flight can be resumed."""
        self._tell(Engine.halt)

    def entries(self) -> tuple[Entry, ...]:
        """Return the shard's entries as of the time when `run` started or returned."""
        return tuple(self._entries.values())

    def sessions(self) -> tuple[dict[str, Any], ...]:
        """Return the facts of each session of the shard, oldest first."""
        return tuple(self._journal.sessions())

    def progress(self) -> Progress:
        """Return the progress so far."""
        return self._progress.progress()

    def _tell(self, order: Callable[[Engine], None]) -> None:
        if self._engine is None:
            self._early_orders.append(order)
        else:
            order(self._engine)

    def _pacer(self, begin: float) -> Pacer:
        options, shard = self._spec.options, self._spec.shard
        numbers = [options.number_in_run(index, shard) for index in range(len(self._jobs))]
        times = schedule(options.arrivals, max(numbers, default=-1) + 1, seed=options.seed)
        own = None if times is None else [times[number] for number in numbers]
        limit = options.max_per_minute and options.max_per_minute / options.shards
        return Pacer(self._arrivals, own, zero=begin, limit_rate=limit)


def open_journal(spec: ShardSpec) -> Journal:
    """Open the journal of a shard, or create it."""
    path = journal_path(spec.folder, spec.shard)
    if path.exists():
        return Journal.open(path, run_id=spec.run_id)

    path.parent.mkdir(parents=True, exist_ok=True)
    return Journal.create(path, run_id=spec.run_id, shard=spec.shard, entries=planned(spec))


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


def _max_in_flight(arrivals: Arrivals, count: int) -> int:
    """Return how many devices may be in flight at once; 0 for a rate alone: it is unknown."""
    if arrivals.concurrency is not None:
        return min(arrivals.concurrency, count)

    return count if isinstance(arrivals, Burst) else 0
