"""A service that is sometimes late, and what arithmetic says about those who wait behind it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from tests.fleet.fleets import given, options
from tests.virtual_time import elapse, virtual_time

from aiodps.fleet.measure.sample import Sample
from aiodps.fleet.plan import spec
from aiodps.fleet.plan.arrivals import Arrivals, Closed, Open
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.session import Session
from aiodps.protocol.messages import Register, Request, Response
from aiodps.transports.base import Target

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, virtual_time]

LATE, QUICK = 1.0, 0.02
EACH = 10
COUNT = 30
OPERATION = "4.d0a671905ea5b2c8.42d78160-4c78-479e-8be7-61d5e55dac0d"


class Service:
    """Takes `QUICK` for a device, and `LATE` more for every tenth; a transport and its factory."""

    name = "rest"

    def __init__(self, target: Target | None = None) -> None:
        self.target = target

    def open(self, target: Target) -> Service:
        """Return a transport for one device."""
        return Service(target)

    async def connect(self) -> None:
        """Connect at once."""

    async def exchange(self, request: Request) -> Response:
        """Accept a device after a while, then assign it."""
        assert self.target is not None
        name = self.target.registration_id
        if isinstance(request, Register):
            await elapse(QUICK + (LATE if name.endswith("0") else 0.0))
            body: dict[str, Any] = {"operationId": OPERATION, "status": "assigning"}
            return Response(status_code=202, body=json.dumps(body).encode(), retry_after=0.0)

        state = {
            "registrationId": name,
            "assignedHub": "hub.azure-devices.net",
            "deviceId": name,
            "status": "assigned",
        }
        body = {"operationId": OPERATION, "status": "assigned", "registrationState": state}
        return Response(status_code=200, body=json.dumps(body).encode())

    async def aclose(self) -> None:
        """Close at once."""


async def measured(
    folder: Path, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> list[Sample]:
    """Run 30 devices, of which every tenth is accepted a second late."""

    async def at_once(write: Callable[..., Any], *words: Any) -> Any:
        return write(*words)

    # The clock jumps while a thread writes; so nothing is written in one.
    monkeypatch.setattr(to_thread, "run_sync", at_once)
    monkeypatch.setattr(spec, "transport_by_name", lambda _, **__: Service())
    shard = ShardSpec(
        run_id="run-1",
        options=options(arrivals=arrivals),
        shard=0,
        source=given(COUNT),
        folder=folder,
    )
    with Session(shard) as session:
        await session.run()

    samples = [entry.sample for entry in session.entries() if entry.sample is not None]
    assert [sample.service_time for sample in samples] == pytest.approx(EXPECTED)
    return samples


EXPECTED = [QUICK + (LATE if index % EACH == 0 else 0.0) for index in range(COUNT)]


async def test_who_queues_behind_a_late_response_has_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open arrivals, one at a time: latencies are those of a queue, not those of its head."""
    gap = 0.05
    samples = await measured(tmp_path, Open(rate=1 / gap, concurrency=1), monkeypatch)
    free, expected = 0.0, []
    for index, took in enumerate(EXPECTED):
        free = max(free, index * gap) + took
        expected.append(free - index * gap)

    latencies = [sample.latency for sample in samples]
    assert latencies == pytest.approx(expected)
    # What a harness would say that counts from the actual start: three late, all others quick.
    assert sum(sample.service_time > LATE / 2 for sample in samples) == COUNT / EACH
    assert sum(latency > LATE / 2 for latency in latencies) > COUNT / 2


async def test_nobody_waits_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open arrivals without a bound: only the late ones are late, and none shifts another."""
    gap = 0.05
    samples = await measured(tmp_path, Open(rate=1 / gap), monkeypatch)

    assert [sample.latency for sample in samples] == pytest.approx(EXPECTED)
    assert [sample.intended for sample in samples] == pytest.approx(
        [index * gap for index in range(COUNT)]
    )


async def test_a_closed_run_is_as_long_as_its_late_responses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time: each is wanted when the one before has ended; late ones stretch the run."""
    samples = await measured(tmp_path, Closed(concurrency=1), monkeypatch)

    assert [sample.latency for sample in samples] == pytest.approx(EXPECTED)
    for before, after in itertools.pairwise(samples):
        assert after.intended == pytest.approx(before.finished)

    assert samples[-1].finished - samples[0].intended == pytest.approx(sum(EXPECTED))
