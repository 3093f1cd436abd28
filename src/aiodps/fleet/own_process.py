"""A process that an earlier process of ours left behind, and that may be stopped."""

from __future__ import annotations

import itertools
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self


class OwnProcess:
    """A process of this user that runs a known command; Linux only.

    It is held by a pidfd, which never comes to mean another process, as a pid does. So what is
    checked is what is signalled, and its start time need not be known.
    """

    def __init__(self, handle: int) -> None:
        """Take over a pidfd; use `find` instead."""
        self._handle = handle

    @classmethod
    def find(cls, pid: object, *, module: Sequence[str], option: tuple[str, str]) -> Self | None:
        """Return the process with a pid, if it is certainly ours; else None.

        Args:
            pid: The pid, from an untrusted file.
            module: The words after `python -m` that it must have been started with.
            option: An option, with its value, that it must have been started with.
        """
        if sys.platform != "linux" or type(pid) is not int or pid <= 0:
            return None

        try:
            found = cls(os.pidfd_open(pid))
        except (OSError, OverflowError):
            return None

        if found._is_ours(Path(f"/proc/{pid}"), module, option):
            return found

        found.close()
        return None

    def _is_ours(self, proc: Path, module: Sequence[str], option: tuple[str, str]) -> bool:
        try:
            words = proc.joinpath("cmdline").read_bytes().split(b"\0")[1:]
            own = proc.stat().st_uid == os.geteuid()
            self._send(0)  # it is still there: what was read is about it
        except OSError:
            return False

        start = [word.encode() for word in ("-m", *module)]
        name, value = (word.encode() for word in option)
        options = itertools.pairwise(words)
        return own and words[: len(start)] == start and (name, value) in options

    def stop(self, *, seconds: float) -> None:
        """End it: with SIGTERM, and with SIGKILL if it has not ended after some seconds."""
        try:
            self._send(signal.SIGTERM)
            if not select.select([self._handle], [], [], seconds)[0]:
                self._send(signal.SIGKILL)
                select.select([self._handle], [], [], seconds)
        except ProcessLookupError:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Let it go."""
        os.close(self._handle)

    def _send(self, number: int) -> None:
        signal.pidfd_send_signal(self._handle, number)
