"""One shard at work in an event loop: begins devices in turn, and writes down how they ended."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from aiodps import errors
from aiodps.client import ProvisioningClient
from aiodps.errors import JournalError, ProvisioningError
from aiodps.fleet.journal.journal import Entry, Journal, State
from aiodps.fleet.journal.transport import DeviceState, Journaling
from aiodps.fleet.journal.writer import JournalWriter
from aiodps.fleet.measure.generator_load import SelfMonitor
from aiodps.fleet.measure.progress import ProgressCounter
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.devices import Device
from aiodps.fleet.plan.spec import RunOptions
from aiodps.fleet.run.pacer import Pacer, Start
from aiodps.fleet.run.sample_builder import SampleBuilder
from aiodps.models import Assignment

GRACE = 10.0
"""Seconds that running devices get when a run is told to stop."""

_UNDECIDED = (
    errors.TransportError,
    errors.ThrottledError,
    errors.ServiceUnavailableError,
    errors.ProvisioningTimeoutError,
)
"""Errors that say nothing about how an operation ended: it may have been assigned since."""

_log = logging.getLogger("aiodps.fleet")


@dataclass(frozen=True, slots=True)
class Job:
    """One registration that is to be done in this session."""

    entry: Entry
    device: Device


class Engine:
    """Runs a shard's work once."""

    def __init__(
        self,
        options: RunOptions,
        *,
        shard: int,
        journal: Journal,
        progress: ProgressCounter,
        monitor: SelfMonitor,
    ) -> None:
        self._options = options
        self._shard = shard
        self._journal = journal
        self._progress = progress
        self._watch = monitor
        self._starting = anyio.CancelScope()
        self._running = anyio.CancelScope()
        self._zero = 0.0
        self.written: dict[int, Entry] = {}
        """How each registration ended in this session, by number."""
        self._records: dict[tuple[str, str], DeviceState] = {}
        self._clients: dict[str, ProvisioningClient] = {}

    def drain(self) -> None:
        """Begin no more devices; those that run have `GRACE` seconds."""
        self._starting.cancel()
        self._running.deadline = min(self._running.deadline, anyio.current_time() + GRACE)

    def halt(self) -> None:
        """Stop now. Every device can be resumed."""
        self._starting.cancel()
        self._running.cancel()

    async def run(self, jobs: Sequence[Job], pacer: Pacer, *, zero: float) -> None:
        """Do the work.

        Args:
            jobs: What is to be done, in order.
            pacer: Says when each begins.
            zero: The run's start on the event loop's clock; samples count from it.

        Raises:
            JournalError: If the journal could not be kept. The run may be resumed.
        """
        self._zero = zero
        async with JournalWriter.running(self._journal) as writer:
            self._clients = {name: self._client(name, writer) for name in self._options.transports}
            with pacer, self._running:
                async with anyio.create_task_group() as devices:
                    with self._starting:
                        await self._begin_all(jobs, pacer, writer, devices)

            if writer.trouble is not None:
                raise writer.trouble

    async def _begin_all(
        self, jobs: Sequence[Job], pacer: Pacer, writer: JournalWriter, devices: TaskGroup
    ) -> None:
        await pacer.until_zero()
        for index, work in enumerate(jobs):
            turn = await pacer.start(index)
            if self._starting.cancel_called:
                return

            self._progress.begin()
            devices.start_soon(self._one, work, turn, pacer, writer)

    async def _one(self, work: Job, turn: Start, pacer: Pacer, writer: JournalWriter) -> None:
        """Do one registration, and write down how it ended."""
        try:
            self._progress.end(await self._register(work, turn, pacer, writer))
        except JournalError as error:
            _log.debug("%s", error)
            self.halt()

    async def _register(
        self, work: Job, turn: Start, pacer: Pacer, writer: JournalWriter
    ) -> Sample:
        record = DeviceState(work.entry)
        sample_builder = SampleBuilder(record, shard=self._shard)
        started = anyio.current_time()
        self._watch.note_start(started - turn.free)
        times = {"intended": turn.intended - self._zero, "started": started - self._zero}
        try:
            outcome = await self._provision(work, record, sample_builder)
        except JournalError:
            raise
        except BaseException:
            sample = sample_builder.ended(None, **times, finished=self._now())
            await self._write(record, sample, writer)
            raise
        finally:
            # The service is done with it; to write that down need not keep the next one waiting.
            pacer.free()
            self._progress.leave()

        sample = (
            sample_builder.assigned(outcome, **times, finished=self._now())
            if isinstance(outcome, Assignment)
            else sample_builder.ended(outcome, **times, finished=self._now())
        )
        await self._write(record, sample, writer)
        return sample

    async def _provision(
        self, work: Job, record: DeviceState, sample_builder: SampleBuilder
    ) -> Assignment | Exception:
        """Provision one device; errors that are about it alone are returned."""
        key = (work.entry.transport, work.entry.registration_id.casefold())
        self._records[key] = record
        try:
            return await self._clients[work.entry.transport].provision(
                attestation=work.device.attestation,
                payload=work.device.payload,
                operation_id=work.entry.operation_id,
                on_step=sample_builder,
            )
        except JournalError:
            raise
        except ProvisioningError as error:
            return error
        except Exception as error:  # noqa: BLE001 (a bug of ours must not cost the other devices)
            _log.exception("%s failed for a reason nobody thought of", key)
            return error
        finally:
            del self._records[key]

    async def _write(self, record: DeviceState, sample: Sample, writer: JournalWriter) -> None:
        """Write down how a registration ended, before anybody is told."""
        state = {
            Outcome.ASSIGNED: State.ASSIGNED,
            Outcome.FAILED: State.FAILED,
            Outcome.INTERRUPTED: record.entry.state,
        }[sample.outcome]
        with anyio.CancelScope(shield=True):
            entry = dataclasses.replace(record.entry, state=state, sample=sample)
            await writer.write(entry)

        self.written[entry.number] = entry

    def _now(self) -> float:
        return anyio.current_time() - self._zero

    def _client(self, name: str, writer: JournalWriter) -> ProvisioningClient:
        def state_of(registration_id: str) -> DeviceState:
            return self._records[name, registration_id.casefold()]

        transport = Journaling(self._options.transport(name), writer, state_of)
        return self._options.client(transport)


def remaining_jobs(
    entries: Sequence[Entry], devices: Mapping[str, Device], *, again: bool = False
) -> list[Job]:
    """List what is left to do: first what was under way, then what nobody has begun.

    Args:
        entries: The journal.
        devices: Devices by registration id.
        again: Whether failed ones are to be tried once more.
    """
    order = {State.OPERATION: 0, State.SENT: 1, State.FAILED: 2, State.PLANNED: 3}
    left = [
        entry
        for entry in entries
        if not entry.state.final or (again and entry.state is State.FAILED)
    ]
    left.sort(key=lambda entry: (order[entry.state], entry.number))
    return [Job(_afresh(entry), devices[entry.registration_id]) for entry in left]


def _afresh(entry: Entry) -> Entry:
    """Give up an operation that the service has decided: asked again, it would say the same."""
    if entry.state is not State.FAILED or entry.sample is None:
        return entry

    kind = getattr(errors, entry.sample.error_class or "", Exception)
    return entry if issubclass(kind, _UNDECIDED) else dataclasses.replace(entry, operation_id=None)
