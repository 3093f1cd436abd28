"""Earlier runs in the same folder that have assigned the devices of a manifest already."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from aiodps.errors import ProvisioningError
from aiodps.fleet.plan.manifest_devices import ManifestDevices
from aiodps.fleet.plan.run_file import NAME, RunFile
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import MAX_LIST_BYTES, read


def assigned_before(folder: Path, run: RunFile) -> tuple[Path, int] | None:
    """Return the run that has assigned most devices of a new one, and their number; None if none.

    Only runs whose folders are in the same folder are considered, and only those of the same DPS
    instance.

    Args:
        folder: The folder of the new run.
        run: The new run.
    """
    if not isinstance(run.source, ManifestDevices):
        return None

    ids = {each.casefold() for each in run.source.registration_ids()}
    counts = {
        other: len(ids & _assigned(other))
        for other in _runs_in(folder.absolute().parent)
        if other != folder.absolute() and _is_of_instance(other, run)
    }
    most = max(counts, key=lambda other: counts[other], default=None)
    return None if most is None or not counts[most] else (most, counts[most])


def _runs_in(folder: Path) -> Collection[Path]:
    try:
        return [each for each in folder.iterdir() if (each / NAME).is_file()]
    except OSError:
        return []


def _is_of_instance(folder: Path, run: RunFile) -> bool:
    try:
        other, ours = RunFile.read(folder).options.settings, run.options.settings
    except ProvisioningError:
        return False

    return (other.id_scope, other.endpoint) == (ours.id_scope, ours.endpoint)


def _assigned(folder: Path) -> set[str]:
    """Return the registration ids that a run has assigned, in lower case."""
    origin = Origin(what="file", kind="folder", path=folder / "assignments.csv")
    try:
        text = read(origin, limit=MAX_LIST_BYTES, again=True).decode()
        return {row[0].casefold() for row in csv.reader(text.splitlines()) if row}
    except (ProvisioningError, ValueError, csv.Error):
        return set()
