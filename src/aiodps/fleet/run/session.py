"""One session of one shard: from its journal to the end, or to where it is stopped."""

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
from aiodps.fleet.plan.arrivals import Arrivals, Burst, schedule, share
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.engine import Engine, Job, remaining_jobs
from aiodps.fleet.run.pacer import Pacer

HEAD_START = 0.1
"""Seconds between "begin now" and the first device, so that everything is ready then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How a session of a shard ended. Every figure of a device is in the journal."""

    shard: int
    progress: Progress
    generator_load: GeneratorLoad
    seconds: float
    """From the first turn to the last end."""


class Session:
    """A shard's work in this event loop: `with Session(spec) as session: await session.run()`.

    Entering reads the journal, or begins one, and makes every device ready; nothing is sent.
    """

    def __init__(self, spec: ShardSpec, *, again: bool = False) -> None:
        """Set up; `again` tries failed devices once more."""
        self._spec = spec
        self._again = again
        self._resources = ExitStack()
        self._engine: Engine | None = None
        self._orders: list[Callable[[Engine], None]] = []
        self._jobs: list[Job] = []

    def __enter__(self) -> Self:
        """Open the journal and make the devices ready.

        Raises:
            JournalError: If there is no journal to be had.
            ResourceError: If so many devices cannot be in flight here.
            ProvisioningError: If a device cannot be made ready.
        """
        spec = self._spec
        with ExitStack() as resources:
            self._journal = resources.enter_context(open_journal(spec))
            entries = self._journal.entries()
            self._entries = {entry.number: entry for entry in entries}
            self._jobs = _load(spec, entries, again=self._again)
            self._arrivals = share(spec.options.arrivals, spec.shard, spec.options.shards)
            raise_fd_limit(_most_at_once(self._arrivals, len(self._jobs)))
            states = [entry.state for entry in entries]
            failed = 0 if self._again else states.count(State.FAILED)
            self._progress = ProgressCounter(
                total=len(entries), assigned=states.count(State.ASSIGNED), failed=failed
            )
            self._resources = resources.pop_all()

        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    async def run(self, *, at: float | None = None) -> SessionEnd:
        """Do what is left to do.

        Args:
            at: When to begin, in seconds since 1970; None for now.

        Raises:
            JournalError: If the journal could not be kept.
        """
        spec, sessions = self._spec, self._journal.sessions()
        gc.collect()
        start = time.time() + HEAD_START if at is None else at
        begin = anyio.current_time() + start - time.time()
        # Times of all sessions count from the first one's start.
        zero = begin - (start - sessions[0]["started"] if sessions else 0.0)
        number = len(sessions)
        self._journal.note_session(number, {"started": start})
        monitor = SelfMonitor()
        engine = Engine(
            spec.options,
            shard=spec.shard,
            journal=self._journal,
            progress=self._progress,
            monitor=monitor,
        )
        self._engine = engine
        for order in self._orders:
            order(engine)

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
        self._journal.note_session(number, {"started": start, **_facts(end)})
        return end

    def drain(self) -> None:
        """Begin no more devices; those that run may end within `engine.GRACE` seconds."""
        self._tell(Engine.drain)

    def halt(self) -> None:
        """Stop now."""
        self._tell(Engine.halt)

    def entries(self) -> tuple[Entry, ...]:
        """Return the shard's part of the run as it stood when `run` began or returned."""
        return tuple(self._entries.values())

    def sessions(self) -> tuple[dict[str, Any], ...]:
        """Return what each session of the shard was like, first to last."""
        return tuple(self._journal.sessions())

    def progress(self) -> Progress:
        """Say how it stands."""
        return self._progress.progress()

    def _tell(self, order: Callable[[Engine], None]) -> None:
        if self._engine is None:
            self._orders.append(order)
        else:
            order(self._engine)

    def _pacer(self, begin: float) -> Pacer:
        options, shard = self._spec.options, self._spec.shard
        numbers = [options.number_in_run(index, shard) for index in range(len(self._jobs))]
        times = schedule(options.arrivals, max(numbers, default=-1) + 1, seed=options.seed)
        mine = None if times is None else [times[number] for number in numbers]
        limit = options.most_a_minute and options.most_a_minute / options.shards
        return Pacer(self._arrivals, mine, zero=begin, limit_rate=limit)


def open_journal(spec: ShardSpec) -> Journal:
    """Open a shard's journal, or begin it."""
    path = journal_path(spec.folder, spec.shard)
    if path.exists():
        return Journal.open(path, run_id=spec.run_id)

    path.parent.mkdir(parents=True, exist_ok=True)
    return Journal.create(path, run_id=spec.run_id, shard=spec.shard, entries=planned(spec))


def planned(spec: ShardSpec) -> list[Entry]:
    """List a shard's part of the run."""
    names = spec.source.names()
    return [
        Entry(number=number, registration_id=names[place], transport=transport)
        for number, (place, transport) in enumerate(spec.options.jobs(names))
        if spec.options.shard_of(number) == spec.shard
    ]


def _load(spec: ShardSpec, entries: Sequence[Entry], *, again: bool) -> list[Job]:
    """Make ready what is left to do, and no more."""
    left = {entry.registration_id for entry in entries if not entry.state.final or again}
    places = [place for place, name in enumerate(spec.source.names()) if name in left]
    devices = {device.registration_id: device for device in spec.source.load(places)}
    return remaining_jobs(entries, devices, again=again)


def _most_at_once(arrivals: Arrivals, count: int) -> int:
    """Say how many devices may be in flight at once; with a rate alone, nobody knows."""
    if arrivals.concurrency is not None:
        return min(arrivals.concurrency, count)

    return count if isinstance(arrivals, Burst) else 0


def _facts(end: SessionEnd) -> dict[str, Any]:
    return {"seconds": end.seconds, "strain": asdict(end.generator_load)}
