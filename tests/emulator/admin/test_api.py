"""The JSON API of the admin port of a running emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.emulated import SCOPE, device, running
from tests.emulator.admin.visits import headers, visit
from tests.scripted_client import Answer, http

from aiodps.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


class Api:
    """The API as a script uses it."""

    def __init__(self, dps: Emulator) -> None:
        self.dps = dps

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask on a connection of its own."""
        assert self.dps.admin is not None
        async with visit(self.dps.admin) as client:
            return await client.ask(method, f"/api/{path}", body, headers(self.dps.admin))

    async def register(self) -> int:
        """Register a device; return the status."""
        async with http(self.dps, device()) as client:
            return (await client.ask("PUT", PATH, b"{}")).status


@asynccontextmanager
async def controlled(**options: Any) -> AsyncIterator[Api]:
    """Run an emulator with a admin port."""
    async with running(admin_port=0, **options) as dps:
        yield Api(dps)


async def test_facts() -> None:
    """As in the ready file, but for the token, which the caller has."""
    async with controlled() as api:
        facts = (await api.ask("GET", "facts")).body

        assert api.dps.admin is not None
        assert facts["https_port"] == api.dps.https_port
        assert facts["admin_url"] == api.dps.admin.url
        assert facts["connection_string"] == api.dps.connection_string
        assert api.dps.admin.token not in str(facts)


async def test_counts() -> None:
    """By device, operation and status."""
    async with controlled() as api:
        await api.register()
        await api.register()

        assert (await api.ask("GET", "counts")).body == {
            "register_requests": {"total": 2, "by_registration_id": {"device-1": 2}},
            "operations": {"register": 2},
            "responses": {"202": 2},
        }


async def test_the_journal() -> None:
    """Everything, or only what is new."""
    async with controlled() as api:
        await api.register()
        await api.register()
        everything = (await api.ask("GET", "request-log")).body
        new = (await api.ask("GET", "request-log?after=1")).body
        wrong = await api.ask("GET", "request-log?after=-1")

        assert [entry["number"] for entry in everything] == [1, 2]
        assert new == everything[1:]
        assert new[0]["operation"] == "register"
        assert wrong.status == 400


async def test_faults_come_and_go() -> None:
    """At once, without a restart."""
    rule = b'seed = 7\n[[rule]]\nname = "busy"\nstatus = 503\n'
    async with controlled() as api:
        put = await api.ask("PUT", "faults", rule)
        busy = await api.register()
        read = (await api.ask("GET", "faults")).body
        deleted = await api.ask("DELETE", "faults")
        calm = await api.register()

        assert (put.status, deleted.status) == (200, 200)
        assert (busy, calm) == (503, 202)
        assert read == put.body == {"toml": rule.decode(), "seed": 7, "rules": ["busy"]}
        assert deleted.body["rules"] == []


@pytest.mark.parametrize("body", [b"[[rule]]\nstatus = 7", b"\xff", b"[["])
async def test_a_wrong_plan_changes_nothing(body: bytes) -> None:
    """The error says what is wrong with it."""
    async with controlled(faults="[[rule]]\nstatus = 503") as api:
        answer = await api.ask("PUT", "faults", body)

        assert answer.status == 400
        assert answer.body["error"]
        assert await api.register() == 503


async def test_reset() -> None:
    """Forgets what devices did; enrollments, certificates and faults stay."""
    async with controlled(faults="[[rule]]\nfirst = 1\nstatus = 503") as api:
        statuses = [await api.register() for _ in range(2)]
        counts = (await api.ask("POST", "reset")).body

        assert statuses == [503, 202]
        assert counts["register_requests"] == {"total": 0, "by_registration_id": {}}
        assert (await api.ask("GET", "request-log")).body == []
        assert api.dps.service.registrations.latest("device-1") is None
        assert await api.register() == 503
        assert await api.register() == 202


async def test_health() -> None:
    """For whoever has no token."""
    async with running(admin_port=0) as dps:
        assert dps.admin is not None
        async with visit(dps.admin) as client:
            answer = await client.ask("GET", "/healthz", headers=[])

    assert (answer.status, answer.body) == (200, {"status": "ok"})
