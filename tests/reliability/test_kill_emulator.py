"""kill -9 amid writes: what an answer told of is there after the next start."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import random
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from tests.emulator.tokens import KEY, derived, token

pytestmark = pytest.mark.processes
Connection: TypeAlias = http.client.HTTPSConnection
KILLS: Final = int(os.environ.get("AIODPS_KILLS", "5"))
"""How often the emulator is killed; `nox -s kills` takes many more."""
MOST_ANSWERS: Final = 120
"""That it gives from its start to its death."""
ANSWER_TIMEOUT: Final = 120.0
"""Seconds that a client waits for an answer before the test fails."""
SCOPE: Final = "0neKILL"
API: Final = "api-version=2021-10-01"
ADMINISTRATOR: Final = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
"""The owner's key takes the place of a token of Entra ID."""

GROUP: Final = {
    "enrollmentGroupId": "all",
    "attestation": {
        "type": "symmetricKey",
        "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY},
    },
}
"""Lets in every device with a key made from this one."""


@dataclass
class Told:
    """What answers have told of since the last start."""

    until: int
    """Answers after which enough is told."""
    enough: threading.Event = field(default_factory=threading.Event)
    operations: dict[str, str] = field(default_factory=dict)
    """By registration id."""
    etags: dict[str, str] = field(default_factory=dict)
    """Of enrollments, by registration id."""
    removed: set[str] = field(default_factory=set)
    """Enrollments."""

    def look(self) -> None:
        """See whether enough is told."""
        if len(self.operations) + len(self.etags) + len(self.removed) >= self.until:
            self.enough.set()


class Emulated:
    """A running emulator, as its clients see it."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.port: int = facts["https_port"]
        self.context = ssl.create_default_context(cafile=facts["ca_file"])

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connect, to ask with `ask`."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=self.context, timeout=ANSWER_TIMEOUT
        )
        with contextlib.closing(connection):
            yield connection


def ask(
    connection: Connection,
    method: str,
    path: str,
    *,
    body: object = None,
    headers: dict[str, str] = ADMINISTRATOR,
) -> tuple[int, Any]:
    """Send one request and read all of its answer."""
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Emulated]]:
    """Run the emulator on the state of the last one, until the block ends."""
    options = ["--https-port", "0", "--mqtt-port", "0", "--id-scope", SCOPE, "--retry-after", "0"]
    enrollments = folder / "enrollments.json"
    enrollments.write_text(json.dumps([GROUP]))
    files = [
        *("--service-key", KEY),
        *("--state", str(folder / "state.db")),
        *("--ca-out", str(folder / "ca.pem")),
        *("--enrollments", str(enrollments)),
    ]
    command = [sys.executable, "-m", "aiodps", "emulator", "--quiet", "--json", *options, *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process, Emulated(json.loads(process.stdout.readline()))
        finally:
            process.kill()


def fresh_token(name: str) -> str:
    """Make a token that is good for an hour from now on: three hundred kills can take longer."""
    return token(name, key=derived(KEY, name), id_scope=SCOPE, expiry=time.time() + 3600)


def register(connection: Connection, told: Told, numbers: Iterator[int]) -> None:
    """Register one device after the other."""
    while True:
        name = f"device-{next(numbers)}"
        authorization = fresh_token(name)
        status, body = ask(
            connection,
            "PUT",
            f"/{SCOPE}/registrations/{name}/register?{API}",
            body={"registrationId": name},
            headers={"Authorization": authorization},
        )
        assert status == 202, body
        told.operations[name] = body["operationId"]
        told.look()


def administer(connection: Connection, told: Told, numbers: Iterator[int]) -> None:
    """Enrol devices, and remove some of them."""
    while True:
        name = f"enrolled-{next(numbers)}"
        enrollment = {"registrationId": name, "attestation": {"type": "symmetricKey"}}
        path = f"/enrollments/{name}?{API}"
        status, body = ask(connection, "PUT", path, body=enrollment)
        assert status == 200, body
        told.etags[name] = body["etag"]
        if name.endswith(("3", "7")):
            del told.etags[name]
            status, body = ask(connection, "DELETE", path)
            assert status == 204, body
            told.removed.add(name)

        told.look()


def until_killed(
    work: Callable[[Connection, Told, Iterator[int]], None],
    emulated: Emulated,
    told: Told,
    numbers: Iterator[int],
) -> None:
    """Do something for ever, which is until the connection breaks."""
    try:
        with contextlib.suppress(OSError, http.client.HTTPException), emulated.connected() as to:
            work(to, told, numbers)
    finally:
        told.enough.set()  # whatever went wrong: nobody waits for more


def check(connection: Connection, told: Told) -> None:
    """Find everything as it was told."""
    for name, operation in told.operations.items():
        authorization = fresh_token(name)
        path = f"/{SCOPE}/registrations/{name}/operations/{operation}?{API}"
        status, body = ask(connection, "GET", path, headers={"Authorization": authorization})
        assert (status, body.get("status")) == (200, "assigned"), body

    for name, etag in told.etags.items():
        status, body = ask(connection, "GET", f"/enrollments/{name}?{API}")
        assert (status, body["etag"]) == (200, etag)

    for name in told.removed:
        assert ask(connection, "GET", f"/enrollments/{name}?{API}")[0] == 404


def test_no_kill_loses_what_was_told(tmp_path: Path) -> None:
    """Registrations and service API writes at full speed, killed after any number of answers."""
    rng = random.Random(KILLS)  # noqa: S311 (moments)
    numbers = itertools.count()
    told = Told(until=0)
    for _ in range(KILLS):
        with started(tmp_path) as (process, emulated):
            with emulated.connected() as connection:
                check(connection, told)

            told = Told(until=rng.randrange(MOST_ANSWERS))
            jobs = [
                threading.Thread(target=until_killed, args=(work, emulated, told, numbers))
                for work in (register, register, administer)
            ]
            for job in jobs:
                job.start()

            told.look()
            told.enough.wait()
            process.kill()
            for job in jobs:
                job.join()

    with started(tmp_path) as (_, emulated), emulated.connected() as connection:
        check(connection, told)
