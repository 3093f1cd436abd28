"""Runs in their folders: created, resumed, merged from their shards."""

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
from aiodps.fleet.local_emulator import LocalEmulator, reaching
from aiodps.fleet.plan.run_file import NAME, RunFile
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions, ShardSpec
from aiodps.fleet.report.results import Results, read_results
from aiodps.fleet.run.launch import OnProgress, Stop, processes, run_shards


def begin(folder: Path, run: RunFile, *, shards: Sequence[int] | None = None) -> None:
    """Check every device, and make the run's folder.

    Args:
        folder: Where; made if it is not there.
        run: What.
        shards: The shards that are to run here; None for all.

    Raises:
        ProvisioningError: If a device cannot be provisioned; nothing was made.
        ConfigurationError: If there is something in the folder already.
    """
    _check_empty(folder)
    mine = shards or range(run.options.shards)
    names = run.source.names()
    jobs = enumerate(run.options.jobs(names))
    places = {place for number, (place, _) in jobs if run.options.shard_of(number) in mine}
    run.source.prepare(sorted(places))
    _make(folder, dataclasses.replace(run, here=None if shards is None else tuple(shards)))


def _check_empty(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigurationError(
            f"the folder {str(folder)!r} is not empty",
            setting="out",
            hint="give another --out, or resume the run in it: `aiodps fleet resume`",
        )


def _make(folder: Path, run: RunFile) -> None:
    _check_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run.write(folder)
    except OSError as exc:
        raise ConfigurationError(
            f"the folder {str(folder)!r} cannot be written to: {exc.strerror}",
            setting="out",
            hint="name a folder that you may write to",
        ) from exc


def resume_run(
    folder: Path,
    stop: Stop,
    *,
    executor: Callable[[int], Executor] = processes,
    again: bool = False,
    start_at: float | None = None,
    on_progress: OnProgress | None = None,
    on_phase: Callable[[str], None] = lambda _: None,
) -> Results:
    """Do what is left of a run, and read its results.

    Args:
        folder: The run's.
        stop: Asks it to end early.
        executor: Makes something that runs so many shards at once.
        again: Whether failed devices are tried once more.
        start_at: When to begin, in seconds since 1970; None for as soon as all shards are ready.
        on_progress: Told some times a second how the run stands.
        on_phase: Told in words what is being done before devices start.

    Raises:
        ProvisioningError: If it could not be run, or not to its end because of this machine.
    """
    run = RunFile.read(folder)
    with ExitStack() as resources:
        resources.enter_context(locked(folder))
        resources.enter_context(stop.listening())
        before = read_results(folder)
        if _nothing_left(before, again=again):
            return before

        options = run.options
        if options.emulator is not None:
            on_phase("starting the emulator")
            options = resources.enter_context(_emulated(folder, options, options.emulator))

        specs = _shards(folder, run, options)
        run_shards(
            specs,
            resources.enter_context(executor(len(specs))),
            stop=stop,
            again=again,
            start_at=start_at,
            on_progress=on_progress,
        )

    results = read_results(folder)
    if run.options.emulator is not None and _nothing_left(results):
        LocalEmulator.in_folder(folder).remove()

    return results


def _nothing_left(results: Results, *, again: bool = False) -> bool:
    """Whether every registration that is to be done here has ended."""
    if results.run.here is None and results.missing:
        return False

    begun = bool(results.entries)
    return begun and not results.left and not (again and results.failed)


def _shards(folder: Path, run: RunFile, options: RunOptions) -> list[ShardSpec]:
    """List the shards that run here."""
    whole = ShardSpec(
        run_id=run.run_id, options=options, shard=0, source=run.source, folder=folder.absolute()
    )
    return [dataclasses.replace(whole, shard=shard) for shard in run.here or range(options.shards)]


@contextmanager
def _emulated(
    folder: Path, options: RunOptions, emulator: EmulatorOptions
) -> Iterator[RunOptions]:
    """Run the emulator until the block ends; give the options with its address."""
    local_emulator = LocalEmulator.in_folder(folder)
    local_emulator.make()
    with local_emulator.emulator(dataclasses.asdict(emulator)) as facts:
        yield reaching(facts, options)


def merge(folder: Path, parts: Sequence[Path]) -> Results:
    """Put the folders of one run's shards together into one.

    Raises:
        ConfigurationError: If they are not of one run, or a shard is there twice.
        JournalError: If a journal is in use or damaged.
    """
    runs = [RunFile.read(part) for part in parts]
    if len({run.run_id for run in runs}) != 1:
        raise ConfigurationError(
            "the folders are of different runs", setting="parts", hint="merge shards of one run"
        )

    found: dict[int, Path] = {}
    for part, run in zip(parts, runs, strict=True):
        for shard in range(run.options.shards):
            journal = journal_path(part, shard)
            if journal.exists() and found.setdefault(shard, journal) != journal:
                raise ConfigurationError(
                    f"shard {shard} is in {found[shard].parents[1]} and in {part}",
                    setting="parts",
                    hint="give each shard once",
                )

        # A journal that was left by a kill is mended by reading it, before it is copied.
        read_results(part)

    _make(folder, dataclasses.replace(runs[0], here=None))
    for shard, journal in found.items():
        target = journal_path(folder, shard)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(journal, target)

    return read_results(folder)


def exists(folder: Path) -> bool:
    """Whether a folder holds a run."""
    return (folder / NAME).is_file()


try:
    import fcntl
except ModuleNotFoundError:  # Windows: the journals are locked all the same, only later
    fcntl = None  # type: ignore[assignment]  # there is no other way to say so

LOCK: Final = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder until the block ends; a killed process gives it up by dying.

    Raises:
        JournalError: If another process has it, or it cannot be written to.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
            f"the run in {str(folder)!r} is under way in another process",
            reason="in_use",
            hint="let it end, or stop it with Ctrl-C",
        ) from exc
    finally:
        os.close(handle)
