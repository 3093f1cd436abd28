"""The fleet as a library: `async with Fleet(...) as fleet: await fleet.run()`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from anyio import to_thread

from aiodps.errors import ConfigurationError, UsageError
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.devices import Device, DeviceSource, InMemoryDevices
from aiodps.fleet.plan.run_file import NAME, RunFile, environment
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.report.results import Results, write_results
from aiodps.fleet.run.session import Session


class Fleet:
    """Provisions many devices in this event loop, and remembers how far it came.

        options = RunOptions(settings=Settings(id_scope="0ne00012ABC"))
        async with Fleet(folder="runs/a", devices=devices, options=options) as fleet:
            results = await fleet.run()

    The folder is the run's memory: given once more with the same devices, the run is resumed, and
    nothing that is assigned is registered again. Runs on asyncio; on trio with REST.
    """

    def __init__(
        self,
        *,
        folder: str | Path,
        devices: Sequence[Device] | DeviceSource,
        options: RunOptions,
        again: bool = False,
    ) -> None:
        """Set up; nothing is read, written or sent yet.

        Args:
            folder: The run's folder; made if it is not there.
            devices: The devices, or where they come from.
            options: Which service, and how devices arrive at it.
            again: Whether devices that failed are tried once more.

        Raises:
            ConfigurationError: If the options ask for an emulator, or for more than one shard.
        """
        if options.shards > 1 or options.emulator is not None:
            raise ConfigurationError(
                "a Fleet is one shard, and starts no emulator",
                setting="options",
                hint="leave out shards= and emulator=, or use `aiodps fleet run`",
            )

        self._folder = Path(folder).absolute()
        self._source = (
            InMemoryDevices(tuple(devices)) if isinstance(devices, Sequence) else devices
        )
        self._options = options
        self._again = again
        self._session: Session | None = None
        self._resources = ExitStack()

    async def __aenter__(self) -> Self:
        """Check every device, and open the journal; nothing is sent.

        Raises:
            ProvisioningError: If a device cannot be provisioned.
            JournalError: If the folder is another run's, in use, or cannot be written.
        """
        self._session = await to_thread.run_sync(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the journal."""
        self._resources.close()
        self._session = None

    async def run(self) -> Results:
        """Do what is left to do, write the results into the folder, and return them.

        Cancelled, it leaves a run that can be gone on with.

        Raises:
            JournalError: If the journal could not be kept.
        """
        session = self._entered()
        await session.run()
        results = Results(run=self._run, entries=session.entries(), sessions=session.sessions())
        self._resources.close()
        await to_thread.run_sync(write_results, self._folder, results)
        return results

    def drain(self) -> None:
        """Begin no more devices; those that run may end within ten seconds."""
        self._entered().drain()

    def halt(self) -> None:
        """Stop now."""
        self._entered().halt()

    @property
    def progress(self) -> Progress:
        """How it stands."""
        return self._entered().progress()

    def _entered(self) -> Session:
        if self._session is None:
            raise UsageError("the fleet is not open", hint="use it inside `async with Fleet(...)`")

        return self._session

    def _open(self) -> Session:
        names = self._source.names()
        self._source.prepare(range(len(names)))
        self._folder.mkdir(parents=True, exist_ok=True)
        spec = ShardSpec(
            run_id=_run_id(names, self._options.transports),
            options=self._options,
            shard=0,
            source=self._source,
            folder=self._folder,
        )
        session = self._resources.enter_context(Session(spec, again=self._again))
        self._run = self._run_file(spec)
        return session

    def _run_file(self, spec: ShardSpec) -> RunFile:
        """Read what the run was created as, or write it down now."""
        if (self._folder / NAME).exists():
            return RunFile.read(self._folder)

        run = RunFile(
            run_id=spec.run_id,
            options=spec.options,
            source=self._source,
            command="aiodps.fleet.Fleet",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=environment(),
        )
        run.write(self._folder)
        return run


def _run_id(names: Sequence[str], transports: Sequence[str]) -> str:
    """Name a run by its devices: others are another run."""
    return hashlib.sha256(repr((list(names), list(transports))).encode()).hexdigest()[:16]
