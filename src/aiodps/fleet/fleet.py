"""`Fleet`: a run of one shard in the caller's event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from anyio import to_thread

from aiodps.errors import ConfigurationError, UsageError
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.devices import Device, DeviceSource, InMemoryDevices
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.plan.run_file import NAME, RunFile
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.report.journals import ShardJournal
from aiodps.fleet.report.results import Results, results_of, write_results
from aiodps.fleet.run.session import Session


class Fleet:
    """Provisions many devices in this event loop, and keeps a journal of its progress.

        options = RunOptions(settings=Settings(id_scope="0ne00012ABC"))
        async with Fleet(folder="runs/a", devices=devices, options=options) as fleet:
            results = await fleet.run()

    Given the same folder and the same devices, a fleet resumes the run; devices that are assigned
    are not registered again. Runs on asyncio and on trio.
    """

    def __init__(
        self,
        *,
        folder: str | Path,
        devices: Sequence[Device] | DeviceSource,
        options: RunOptions,
        retry_failed: bool = False,
        evaluation: Evaluation | None = None,
    ) -> None:
        """Prepare a fleet; nothing is read, written or sent yet.

        Args:
            folder: The run folder; created if it does not exist.
            devices: The devices, or the source that loads them.
            options: The service, and how devices arrive at it.
            retry_failed: Whether failed devices are tried once more.
            evaluation: Thresholds and window of a new run; None for neither. A run that is
                resumed has its own. `abort_on_fail` is for `aiodps fleet` only.

        Raises:
            ConfigurationError: If the options ask for an emulator, or for more than one shard.
        """
        if options.shards > 1 or options.emulator is not None:
            raise ConfigurationError(
                "a Fleet runs one shard and does not start an emulator",
                setting="options",
                hint="leave out shards= and emulator=, or use `aiodps fleet run`",
            )

        self._folder = Path(folder).absolute()
        self._source = (
            InMemoryDevices(tuple(devices)) if isinstance(devices, Sequence) else devices
        )
        self._options = options
        self._retry_failed = retry_failed
        self._evaluation = Evaluation() if evaluation is None else evaluation
        self._session: Session | None = None
        self._resources = ExitStack()

    async def __aenter__(self) -> Self:
        """Check every device, and open the journal; nothing is sent.

        Raises:
            ProvisioningError: If a device cannot be provisioned.
            JournalError: If the folder belongs to another run, is in use, or cannot be written.
        """
        self._session = await to_thread.run_sync(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the journal."""
        self._resources.close()
        self._session = None

    async def run(self) -> Results:
        """Provision the remaining devices, write the results to the folder, and return them.

        A run that is cancelled can be resumed.

        Raises:
            JournalError: If the journal could not be written.
        """
        session = self._opened()
        await session.run()
        entries = await to_thread.run_sync(session.entries)
        journal = ShardJournal(entries, session.sessions()).with_interrupted()
        results = results_of(self._run, [journal])
        self._resources.close()
        await to_thread.run_sync(write_results, self._folder, results)
        return results

    def drain(self) -> None:
        """Start no more devices; devices in flight have ten seconds to end."""
        self._opened().drain()

    def halt(self) -> None:
        """Stop at once; devices in flight can be resumed."""
        self._opened().halt()

    @property
    def progress(self) -> Progress:
        """How many devices are assigned, failed and in flight now."""
        return self._opened().progress()

    def _opened(self) -> Session:
        if self._session is None:
            raise UsageError("the fleet is not open", hint="use it inside `async with Fleet(...)`")

        return self._session

    def _open(self) -> Session:
        registration_ids = self._source.registration_ids()
        self._source.prepare(range(len(registration_ids)))
        self._folder.mkdir(parents=True, exist_ok=True)
        spec = ShardSpec(
            run_id=_run_id(registration_ids, self._options.transports),
            options=self._options,
            shard=0,
            source=self._source,
            folder=self._folder,
        )
        session = self._resources.enter_context(Session(spec, retry_failed=self._retry_failed))
        self._run = self._run_file(spec)
        return session

    def _run_file(self, spec: ShardSpec) -> RunFile:
        """Read `run.json`, or write it if the run is new."""
        if (self._folder / NAME).exists():
            return RunFile.read(self._folder)

        run = RunFile(
            run_id=spec.run_id,
            options=spec.options,
            source=self._source,
            command="aiodps.fleet.Fleet",
            evaluation=self._evaluation,
        )
        run.write(self._folder)
        return run


def _run_id(registration_ids: Sequence[str], transports: Sequence[str]) -> str:
    """Derive the run id from the devices: a fleet of other devices is another run."""
    text = repr((list(registration_ids), list(transports)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
