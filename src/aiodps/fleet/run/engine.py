"""The engine of a shard: starts devices in order, and journals the outcome of each."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from aiodps import errors
from aiodps.attestation.issuance.saving import save_issued
from aiodps.client import ProvisioningClient
from aiodps.errors import JournalError, ProvisioningError
from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.journal.transport import DeviceState, Journaling
from aiodps.fleet.journal.writer import JournalWriter
from aiodps.fleet.measure.generator_load import SelfMonitor
from aiodps.fleet.measure.progress import ProgressCounter
from aiodps.fleet.measure.records import changed
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.devices import Device
from aiodps.fleet.plan.spec import RunOptions
from aiodps.fleet.run.pacer import Pacer, Start
from aiodps.fleet.run.sample_builder import SampleBuilder
from aiodps.models import Assignment
from aiodps.observe import event_loop_clock

GRACE = 10.0
"""Seconds until devices in flight must have ended when a run is drained."""

_INCONCLUSIVE = (
    errors.TransportError,
    errors.ThrottledError,
    errors.ServiceUnavailableError,
    errors.ProvisioningTimeoutError,
)
"""Errors after which the operation may still have succeeded: it is polled once more."""

_log = logging.getLogger("aiodps.fleet")


@dataclass(frozen=True, slots=True)
class Job:
    """One registration that has to be done in this session."""

    entry: Entry
    device: Device
    first_intended: float | None = None
    """Its first intended start in seconds of the run, if an earlier session left it behind; None
    if its start is still to come."""

    @property
    def resumed(self) -> bool:
        """Whether an earlier session left it behind."""
        return self.first_intended is not None


class Engine:
    """Runs the jobs of one session of a shard."""

    def __init__(
        self,
        options: RunOptions,
        *,
        shard: int,
        progress: ProgressCounter,
        monitor: SelfMonitor,
    ) -> None:
        self._options = options
        self._shard = shard
        self._progress = progress
        self._monitor = monitor
        self._starting = anyio.CancelScope()
        self._running = anyio.CancelScope()
        self._clock: Callable[[], float] = anyio.current_time
        self._zero = 0.0
        self.stopped: float | None = None
        """When it was asked to start no more devices, on the event loop's clock; None if not."""
        self._states: dict[tuple[str, str], DeviceState] = {}
        self._clients: dict[str, ProvisioningClient] = {}

    def drain(self) -> None:
        """Start no more devices; devices in flight have `GRACE` seconds to end."""
        self._stop_starting()
        self._running.deadline = min(self._running.deadline, anyio.current_time() + GRACE)

    def halt(self) -> None:
        """Stop at once; devices in flight can be resumed."""
        self._stop_starting()
        self._running.cancel()

    def _stop_starting(self) -> None:
        self._starting.cancel()
        if self.stopped is None:
            self.stopped = anyio.current_time()

    async def run(
        self, jobs: Iterable[Job], pacer: Pacer, writer: JournalWriter, *, zero: float
    ) -> None:
        """Run jobs until all have ended, or the engine is stopped.

        It also stops if the journal cannot be written; the writer has the error.

        Args:
            jobs: The registrations to do, in order.
            pacer: Decides when each starts.
            writer: Writes the state of each to the journal.
            zero: Start of the run on the event loop's clock; the times of samples count from it.
        """
        self._clock, self._zero = event_loop_clock(), zero
        self._clients = {name: self._client(name, writer) for name in self._options.transports}
        with self._running:
            async with anyio.create_task_group() as devices:
                with self._starting:
                    await self._start_all(jobs, pacer, writer, devices)

    async def _start_all(
        self, jobs: Iterable[Job], pacer: Pacer, writer: JournalWriter, devices: TaskGroup
    ) -> None:
        await pacer.until_zero()
        for index, job in enumerate(jobs):
            start = await pacer.next_start(index)
            if self._starting.cancel_called:
                return

            self._progress.begin(job.entry.transport)
            devices.start_soon(self._run_job, job, start, pacer, writer)

    async def _run_job(self, job: Job, start: Start, pacer: Pacer, writer: JournalWriter) -> None:
        """Do one registration, and stop the session if its outcome cannot be journaled."""
        try:
            self._progress.end(await self._register(job, start, pacer, writer))
        except JournalError as error:
            _log.debug("%s", error)
            self.halt()

    async def _register(
        self, job: Job, start: Start, pacer: Pacer, writer: JournalWriter
    ) -> Sample:
        started = self._clock()
        self._monitor.record_start(started - start.possible)
        intended, first_started = self._first_starts(job, start, started)
        entry = changed(job.entry, intended=intended, started=first_started)
        writer.note(entry)
        state = DeviceState(entry)
        builder = SampleBuilder(state, shard=self._shard, resumed=job.resumed)
        build = functools.partial(builder.build, intended=intended, started=first_started)
        try:
            result = await self._provision(job, state, builder)
        except JournalError:
            raise
        except BaseException:
            await self._write(state.entry, build(None, finished=self._now()), writer)
            raise
        finally:
            # Before the write: the service is free for the next device already.
            pacer.release()
            self._progress.leave(job.entry.transport)

        sample = build(result, finished=self._now())
        await self._write(state.entry, sample, writer)
        return sample

    def _first_starts(self, job: Job, start: Start, started: float) -> tuple[float, float]:
        """Return the first intended and actual start of a job that starts now."""
        intended, earlier = job.first_intended, job.entry.started
        return (
            start.intended - self._zero if intended is None else intended,
            started - self._zero if earlier is None else earlier,
        )

    async def _provision(
        self, job: Job, state: DeviceState, builder: SampleBuilder
    ) -> Assignment | Exception:
        """Provision one device, and save the certificate that it has asked for, if any.

        Returns:
            The assignment, or an error that concerns this device only.
        """
        key = (job.entry.transport, job.entry.registration_id.casefold())
        self._states[key] = state
        # The key of a certificate that an earlier session asked for is gone.
        issues = self._options.settings.issue is not None
        try:
            assignment = await self._clients[job.entry.transport].provision(
                attestation=job.device.attestation,
                payload=job.device.payload,
                operation_id=None if issues else job.entry.operation_id,
                on_step=builder,
            )
            if self._options.keys_out is not None:
                await save_issued(assignment, self._options.keys_out)
        except JournalError:
            raise
        except ProvisioningError as error:
            return error
        except Exception as error:  # noqa: BLE001 (a bug of ours must not cost the other devices)
            _log.exception("%s failed with an unexpected error", key)
            return error
        else:
            return assignment
        finally:
            del self._states[key]

    async def _write(self, entry: Entry, sample: Sample, writer: JournalWriter) -> None:
        """Journal the outcome of a registration, before it is reported."""
        state = {
            Outcome.ASSIGNED: State.ASSIGNED,
            Outcome.FAILED: State.FAILED,
            Outcome.INTERRUPTED: entry.state,
        }[sample.outcome]
        await writer.write_outcome(changed(entry, state=state, sample=sample))

    def _now(self) -> float:
        return self._clock() - self._zero

    def _client(self, name: str, writer: JournalWriter) -> ProvisioningClient:
        def state_of(registration_id: str) -> DeviceState:
            return self._states[name, registration_id.casefold()]

        transport = Journaling(self._options.transport(name), writer, state_of)
        return self._options.client(transport)


def remaining_jobs(
    entries: Sequence[Entry], devices: Mapping[str, Device], *, retry_failed: bool = False
) -> list[Job]:
    """List the registrations that have not ended: first those in progress, then planned ones.

    Args:
        entries: The entries of the journal.
        devices: Devices by registration id.
        retry_failed: Whether failed devices are tried once more.
    """
    order = {State.OPERATION: 0, State.SENT: 1, State.FAILED: 2, State.PLANNED: 3}
    left = [
        entry
        for entry in entries
        if not entry.state.final or (retry_failed and entry.state is State.FAILED)
    ]
    left.sort(key=lambda entry: (order[entry.state], entry.number))
    return [
        Job(_without_decided_operation(entry), devices[entry.registration_id]) for entry in left
    ]


def _without_decided_operation(entry: Entry) -> Entry:
    """Drop an operation that has failed for good: polled again, it would only fail again."""
    if entry.state is not State.FAILED or entry.sample is None:
        return entry

    kind = getattr(errors, entry.sample.error_class or "", Exception)
    return (
        entry if issubclass(kind, _INCONCLUSIVE) else dataclasses.replace(entry, operation_id=None)
    )
