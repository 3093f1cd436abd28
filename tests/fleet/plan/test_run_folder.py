"""A run folder of somebody else's holds files, or it is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.run_folder import check_run_folder


def link(path: Path) -> None:
    """Make a link to a file of the user's."""
    theirs = path.parent.parent / "theirs"
    theirs.touch()
    path.symlink_to(theirs)


def link_to_folder(path: Path) -> None:
    """Make a link to a folder."""
    path.symlink_to("/")


@pytest.mark.parametrize("make", [link, link_to_folder, os.mkfifo])
@pytest.mark.parametrize("name", ["samples.csv", "report", "journal/0000.sqlite", ".lock"])
def test_what_is_no_file_is_refused(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    """Wherever it is in the folder."""
    folder = tmp_path / "run"
    (folder / "journal").mkdir(parents=True)
    make(folder / name)
    with pytest.raises(ConfigurationError, match="neither a file nor a folder"):
        check_run_folder(folder)


def test_files_and_folders(tmp_path: Path) -> None:
    """The folder itself may be found through a link of the user's own."""
    (tmp_path / "run" / "report").mkdir(parents=True)
    (tmp_path / "run" / "run.json").touch()
    (tmp_path / "latest").symlink_to("run")

    check_run_folder(tmp_path / "latest")
    check_run_folder(tmp_path / "nowhere")
