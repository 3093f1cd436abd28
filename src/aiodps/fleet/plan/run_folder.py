"""What may be in a folder of a run: files and folders, no links, no pipes and no devices.

A run folder may come from others. Results are never written through a link, but a link or a
pipe in place of a journal would still be opened; so such a folder is refused before anything is
read from it.
"""

from __future__ import annotations

import stat
from pathlib import Path

from aiodps.errors import ConfigurationError


def check_run_folder(folder: Path) -> None:
    """Check every entry of a folder, and of the folders in it.

    Raises:
        ConfigurationError: If one is a link, a pipe, a socket or a device.
    """
    try:
        entries = [*folder.iterdir()]
        entries += [below for each in entries if _is_folder(each) for below in each.iterdir()]
        strange = [each for each in entries if not (_is_folder(each) or _is_file(each))]
    except (FileNotFoundError, NotADirectoryError):
        return  # the reader's own error is clearer, or a process has just ended
    except OSError as exc:
        raise _refused(folder, f"cannot be read: {exc.strerror}") from exc

    if strange:
        name = str(strange[0].relative_to(folder))
        raise _refused(folder, f"contains {name!r}, which is neither a file nor a folder")


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(_mode(path))


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(_mode(path)) or not _mode(path)


def _mode(path: Path) -> int:
    """Return the mode of a path itself, not of what it leads to; 0 if it is gone by now."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def _refused(folder: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the run folder {str(folder)!r} {fault}",
        setting="folder",
        hint="give a folder that `aiodps fleet run --out` created; links in it are not followed",
    )
