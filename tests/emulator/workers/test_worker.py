"""The worker process by itself; what it does for others is tested with its parent."""

from __future__ import annotations

import socket
import subprocess

import pytest
from tests.emulator.clients import PATIENCE

from aiodps.emulator.workers.crew import COMMAND

pytestmark = pytest.mark.anyio


def test_without_a_parent_it_ends_at_once() -> None:
    """Also if the parent died before it said a word."""
    ours, theirs = socket.socketpair()
    stdin = theirs.fileno()
    with theirs, subprocess.Popen(COMMAND, stdin=stdin, stderr=subprocess.PIPE) as process:
        theirs.close()
        ours.close()
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, b"")
