"""What a race of `auto` leaves behind, however it ends: nothing."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from tests.transports.traces import cancelled_at, look_at_newer_objects_only, traces
from tests.transports.ways import (
    ANSWERS,
    REST_ANSWERS,
    Ways,
    until_one_speaks,
)

from aiodps.observe import Step, StepKind
from aiodps.transports import race

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
def anyio_backend() -> str:
    """Tasks are asked of asyncio here; the conformance tests race on trio, too."""
    return "asyncio"


async def test_cancelled_at_every_await() -> None:
    """Cancelled wherever it waits, a race leaves nothing: no task, no socket."""
    look_at_newer_objects_only()
    reached, k = True, -1
    while reached:
        k += 1
        before = traces()
        with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
            transport = ways.settings().open(ways.target())
            reached = await cancelled_at(k, transport.connect)
            if not reached:
                transport.close()

        assert traces() == before, f"cancelled at {k}"

    assert k >= 1


@pytest.mark.parametrize("turns", [1, 2, 4, 7, 12, 20, 33, 54, 88, 143])
async def test_cancelled_while_all_connect(turns: int) -> None:
    """After so many turns of the event loop, whatever each of the three is doing then."""
    before = traces()
    with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        transport = ways.settings(stagger=0).open(ways.target())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.connect)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()

            tasks.cancel_scope.cancel()

        transport.close()

    assert traces() == before


@pytest.mark.parametrize("kind", [StepKind.SECURED, StepKind.SESSION_OPENED, StepKind.SUBSCRIBED])
@pytest.mark.parametrize("times", [1, 2])
async def test_cancelled_as_it_wins(
    kind: StepKind, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, or once more while it is being cancelled: the winner's connection is closed, too."""
    monkeypatch.setattr(race.Race, "_hold", until_one_speaks)
    before = traces()
    with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        task: asyncio.Task[None] | None = None

        def cancel(step: Step) -> None:
            if step.kind is kind and task is not None:
                task.cancel()
                if times == 2:
                    asyncio.get_running_loop().call_soon(task.cancel)

        transport = ways.settings().open(ways.mqtt.target(cancel, transport="auto"))
        task = asyncio.ensure_future(transport.connect())
        await asyncio.wait([task])
        assert task.cancelled()

    assert traces() == before


async def test_a_crash_is_not_a_group() -> None:
    """Whatever is no error of aiodps is raised as it is, and nothing is left."""

    class CrashError(BaseException):
        """Not an error that anything catches."""

    def crash(step: Step) -> None:
        if step.kind is StepKind.SESSION_OPENED:
            raise CrashError

    before = traces()
    with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        transport = ways.settings().open(ways.mqtt.target(crash))
        with pytest.raises(CrashError):
            await transport.connect()

    assert traces() == before
