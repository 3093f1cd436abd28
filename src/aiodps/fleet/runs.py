"""Run folders: created, resumed, merged from the folders of single shards."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from aiodps.errors import ConfigurationError, JournalError
from aiodps.fleet.journal.journal import journal_path
from aiodps.fleet.local_emulator import LocalEmulator, with_address
from aiodps.fleet.plan.devices import DeviceSource, GeneratedDevices
from aiodps.fleet.plan.run_file import DRAFT, NAME, RunFile
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.fleet.report.results import Results, read_results
from aiodps.fleet.run.launch import OnProgress, Stop, process_pool, run_shards

try:
    import fcntl
except ModuleNotFoundError:  # Windows: a second run is still refused by the journals, only later
    fcntl = None  # type: ignore[assignment]  # there is no other way to say so

LOCK_FILE: Final = ".lock"


def create_run(folder: Path, run: RunFile, *, shards: Sequence[int] | None = None) -> None:
    """Check every device, and create the run folder.

    Args:
        folder: The run folder; created if it does not exist.
        run: What `run.json` will hold.
        shards: The shards that are to run on this machine; None for all.

    Raises:
        ProvisioningError: If a device cannot be provisioned; nothing was created.
        ConfigurationError: If the folder is not empty.
    """
    _check_empty(folder)
    local = shards or range(run.options.shards)
    registrations = run.options.registrations(len(run.source.registration_ids()))
    indices = {
        index
        for number, (index, _) in enumerate(registrations)
        if run.options.shard_of(number) in local
    }
    run.source.prepare(sorted(indices))
    local_shards = None if shards is None else tuple(shards)
    _create_folder(folder, dataclasses.replace(run, local_shards=local_shards))


def _check_empty(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and _left_behind(folder)):
        raise ConfigurationError(
            f"the folder {str(folder)!r} is not empty",
            setting="out",
            hint="give another --out, or resume the run in it with `aiodps fleet resume`",
        )


def _left_behind(folder: Path) -> bool:
    """Whether a folder only has files of a process that was killed while it created the folder."""
    return {path.name for path in folder.iterdir()} <= {LOCK_FILE, DRAFT}


def _create_folder(folder: Path, run: RunFile) -> None:
    _check_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _check_empty(folder)
            run.write(folder)
    except OSError as exc:
        raise ConfigurationError(
            f"the folder {str(folder)!r} cannot be written to: {exc.strerror}",
            setting="out",
            hint="give a folder that you have write access to",
        ) from exc


def resume_run(
    folder: Path,
    stop: Stop,
    *,
    executor: Callable[[int], Executor] = process_pool,
    retry_failed: bool = False,
    start_at: float | None = None,
    on_progress: OnProgress | None = None,
    on_phase: Callable[[str], None] = lambda _: None,
    on_emulator_page: Callable[[str], None] | None = None,
) -> Results:
    """Run the registrations that have not ended, and return the results of the whole run.

    Args:
        folder: The run folder.
        stop: Asks the run to end early.
        executor: Returns an executor that runs the given number of shards at once.
        retry_failed: Whether failed devices are tried once more.
        start_at: When to start, in seconds since 1970; None for as soon as all shards are ready.
        on_progress: Called several times a second with the progress of all shards.
        on_phase: Called with a description of each preparation before devices start.
        on_emulator_page: Called with the address of the page of the run's emulator; None if it
            need not have one.

    Raises:
        ProvisioningError: If the run could not start, or this machine could not complete it.
    """
    run = RunFile.read(folder)
    with ExitStack() as resources:
        resources.enter_context(locked(folder))
        resources.enter_context(stop.handling_signals())
        before = read_results(folder)
        if _finished(before, retry_failed=retry_failed):
            return before

        options = run.options
        if options.emulator is not None:
            on_phase("starting the emulator")
            emulated = _with_emulator(folder, options, on_emulator_page)
            options = resources.enter_context(emulated)

        specs = _shard_specs(folder, run, options)
        run_shards(
            specs,
            resources.enter_context(executor(len(specs))),
            stop=stop,
            retry_failed=retry_failed,
            start_at=start_at,
            on_progress=on_progress,
        )

    results = read_results(folder)
    if run.options.emulator is not None and _finished(results):
        LocalEmulator.for_run(folder).remove()

    return results


def _finished(results: Results, *, retry_failed: bool = False) -> bool:
    """Whether every registration that runs on this machine has ended."""
    if not results.entries or (results.run.local_shards is None and results.missing):
        return False

    return not results.left and not (retry_failed and results.failed)


def _shard_specs(folder: Path, run: RunFile, options: RunOptions) -> list[ShardSpec]:
    """List the shards that run on this machine."""
    return [
        ShardSpec(
            run_id=run.run_id,
            options=options,
            shard=shard,
            source=_source(folder, run),
            folder=folder.absolute(),
        )
        for shard in run.local_shards or range(options.shards)
    ]


def _source(folder: Path, run: RunFile) -> DeviceSource:
    """Return the devices of a run; those of its emulator are issued by its emulator's own CA."""
    if run.options.emulator is None or not isinstance(run.source, GeneratedDevices):
        return run.source

    source, emulator = run.source, LocalEmulator.for_run(folder)
    own = emulator.devices(source.count, with_keys=source.group_key_file is not None)
    return dataclasses.replace(own, prefix=source.prefix)


@contextmanager
def _with_emulator(
    folder: Path, options: RunOptions, on_page: Callable[[str], None] | None
) -> Iterator[RunOptions]:
    """Run the emulator until the block ends; yield the options with its address."""
    emulator = LocalEmulator.for_run(folder)
    emulator.create()
    behaviour = {} if options.emulator is None else dataclasses.asdict(options.emulator)
    with emulator.running(**behaviour, admin_port=None if on_page is None else 0) as facts:
        if on_page is not None and facts["admin_page"] is not None:
            on_page(facts["admin_page"])

        yield with_address(options, facts)


def merge(folder: Path, parts: Sequence[Path]) -> Results:
    """Merge the folders of one run's shards into one run folder.

    Raises:
        ConfigurationError: If they belong to different runs, or a shard occurs twice.
        JournalError: If a journal is in use or damaged.
    """
    runs = [RunFile.read(part) for part in parts]
    if len({run.run_id for run in runs}) != 1:
        raise ConfigurationError(
            "the folders belong to different runs",
            setting="parts",
            hint="merge shards of one run",
        )

    journals: dict[int, Path] = {}
    for part, run in zip(parts, runs, strict=True):
        for shard in range(run.options.shards):
            journal = journal_path(part, shard)
            if journal.exists() and journals.setdefault(shard, journal) != journal:
                raise ConfigurationError(
                    f"shard {shard} is in {journals[shard].parents[1]} and in {part}",
                    setting="parts",
                    hint="give each shard once",
                )

        # Reading a journal that a kill left behind recovers it, so that it can be copied.
        read_results(part)

    _create_folder(folder, dataclasses.replace(runs[0], local_shards=None))
    for shard, journal in journals.items():
        target = journal_path(folder, shard)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(journal, target)

    return read_results(folder)


def is_run_folder(folder: Path) -> bool:
    """Whether a folder has a run."""
    return (folder / NAME).is_file()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder until the block ends; the lock of a killed process is released.

    Raises:
        JournalError: If another process holds it, or the folder cannot be written to.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(folder / LOCK_FILE, flags, 0o644)
    except OSError as exc:
        raise JournalError(
            f"the folder {str(folder)!r} cannot be written to: {exc.strerror}", reason="unwritable"
        ) from exc

    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

        yield
    except BlockingIOError as exc:
        raise JournalError(
            f"another process is running the run in {str(folder)!r}",
            reason="in_use",
            hint="wait until it ends, or stop it with Ctrl-C",
        ) from exc
    finally:
        os.close(handle)
