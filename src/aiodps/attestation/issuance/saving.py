"""The folder for issued credentials, of commands and fleets."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from anyio import to_thread

from aiodps.errors import ConfigurationError, IssuanceError
from aiodps.models import Assignment, Phase


def check_keys_folder(directory: Path) -> None:
    """Check that issued credentials can be saved, before they are asked for.

    Raises:
        ConfigurationError: If the folder cannot be created, or written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as exc:
        raise ConfigurationError(
            f"the folder {str(directory)!r} cannot be written to: {exc.strerror}",
            setting="keys_out",
            hint="give a folder that you have write access to, such as --keys-out keys",
        ) from exc


async def save_issued(assignment: Assignment, directory: Path) -> Path | None:
    """Save what was issued, in a thread; None if nothing was.

    Raises:
        IssuanceError: "unwritable", if it cannot be written.
    """
    issued = assignment.issued
    if issued is None:
        return None

    try:
        return await to_thread.run_sync(issued.save, directory)
    except OSError as exc:
        error = IssuanceError(
            f"the issued credential cannot be written to {str(directory)!r}: {exc.strerror}",
            reason="unwritable",
            hint="look at the folder and its disk space, and register again",
        )
        error.assigned_hub, error.device_id = assignment.assigned_hub, assignment.device_id
        raise error.locate(
            phase=Phase.POLL,  # the device is assigned
            transport=assignment.transport,
            registration_id=assignment.registration_id,
        ) from exc
