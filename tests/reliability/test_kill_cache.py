"""The cache and what goes wrong around it: kill -9, processes at once, disks that take nothing.

Nothing that was returned is lost, and nothing that is returned is wrong.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import pytest
from tests.assignments import stored
from tests.attestation_kinds import keys, new_key
from tests.certificates import root
from tests.emulated import QUICK

from aiodps import AssignmentCache, testing

pytestmark = pytest.mark.processes
KILLS: Final = int(os.environ.get("AIODPS_KILLS", "10"))
"""How often a process is killed; `nox -s kills` takes many more."""
WRITERS: Final = 8
"""Processes at once."""
MOST_ANSWERS: Final = 40
"""That a process gives before its death."""
CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.assignments.stored"])


@contextlib.contextmanager
def started(target: Any, *arguments: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """Run a function in a process that tells of what it does; it is dead when the block ends."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()
    with ours:
        try:
            yield process, ours
        finally:
            process.kill()
            process.join()
            process.close()


def test_no_kill_loses_what_was_stored(tmp_path: Path) -> None:
    """A process stores at full speed, and is killed after any number of assignments."""
    rng = random.Random(KILLS)  # noqa: S311 (moments)
    devices = [f"press-{each}" for each in range(3)]
    last: dict[str, int] = {}
    for _ in range(KILLS):
        first = max(last.values(), default=0)
        with started(stored.store_for_ever, tmp_path, devices, first) as (process, told):
            last.update(told.recv() for _ in range(rng.randrange(1, MOST_ANSWERS)))
            process.kill()
            with contextlib.suppress(EOFError):
                while True:
                    last.update([told.recv()])

        cache = AssignmentCache(tmp_path)
        for device, number in last.items():
            found = stored.number_of(stored.look_up(cache, device))
            assert number <= found <= number + 1


def test_many_processes_at_once(tmp_path: Path) -> None:
    """Each with devices of its own and one that all have: every file is whole at any moment."""
    rng = random.Random(WRITERS)  # noqa: S311 (moments)
    cache, last = AssignmentCache(tmp_path), dict[str, int]()
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                started(stored.store_for_ever, tmp_path, [f"press-{each}", "all"], 1)
            )
            for each in range(WRITERS)
        ]
        for _, told in rng.choices(writers, k=60 * WRITERS):
            device, number = told.recv()
            last[device] = max(number, last.get(device, 0))
            found = stored.number_of(stored.look_up(cache, device))
            assert device == "all" or found >= number

    assert len(last) == WRITERS + 1
    for device, number in last.items():
        assert device == "all" or stored.number_of(stored.look_up(cache, device)) >= number


def test_many_processes_provision(tmp_path: Path) -> None:
    """The same devices at the same time: none gets another one's device id."""
    with testing.running(ca=root(), directory=tmp_path) as dps:
        secrets = {f"press-{each}": new_key() for each in range(4)}
        for name, key in secrets.items():
            dps.enroll(
                {
                    "registrationId": name,
                    "deviceId": f"device-{name}",
                    "attestation": keys(key, key),
                }
            )

        settings = {
            "id_scope": dps.id_scope,
            "endpoint": dps.host,
            "port": dps.https_port,
            "transport": "rest",
            "trust": dps.ca_pem,
            "retry": QUICK,
        }
        arguments = (tmp_path / "cache", secrets, settings)
        for stage in ("first", "second"):
            with contextlib.ExitStack() as stack:
                jobs = [
                    stack.enter_context(started(stored.provision_all, *arguments))
                    for _ in range(WRITERS)
                ]
                answers = [answer for _, told in jobs for answer in iter(told.recv, None)]

            assert len(answers) == WRITERS * len(secrets)
            for name, hub, device_id, cached in answers:
                assert (hub, device_id) == (dps.hub, f"device-{name}")
                assert cached or stage == "first"


SMALL_DISK: Final = """
mount -t tmpfs -o size=24k tmpfs "$1"
exec "$2" -m tests.reliability.small_disk "$1"
"""


def test_full_and_read_only_disks(tmp_path: Path) -> None:
    """A file system that is full, and then read-only, in a mount namespace of its own."""
    unshare = ["unshare", "--mount", "sh", "-euc"]
    if subprocess.run([*unshare, "mount -t tmpfs tmpfs /mnt"], check=False).returncode:
        pytest.skip("mounting is not allowed here")

    words = [*unshare, SMALL_DISK, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
