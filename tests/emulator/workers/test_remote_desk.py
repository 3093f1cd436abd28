"""The desk of a worker: as good as the one in the parent."""

from __future__ import annotations

import anyio
import pytest
from tests.emulated import device
from tests.emulator.workers.joined import joined, local

from aiodps.emulator.faults.effects import Point
from aiodps.emulator.messages import Identity, ManagementRequest, Operation, Request, Response
from aiodps.emulator.request_log import Exchange

pytestmark = pytest.mark.anyio
REQUEST = Request(
    operation=Operation.REGISTER, id_scope="s", registration_id="device-1", api_version=None
)
CHAIN = (device().certificate,)


async def test_every_question_is_answered_as_at_the_desk_itself() -> None:
    """And noted there."""
    noted: list[Exchange] = []
    async with joined(local(noted)) as (remote,):
        response = await remote.answer(REQUEST, identity=Identity(CHAIN), transport="mqtt")
        refused = await remote.refuse(
            404, "nothing", what="GET /", transport="https", certificates=CHAIN
        )
        arm = ManagementRequest(method="GET", path="/subscriptions/x", query={}, headers={})
        managed = await remote.handle_management(arm)
        met = await remote.meet(
            Point.CONNECT, registration_id="device-1", transport="mqtt", certificates=CHAIN
        )

    assert (response.status_code, refused.status_code, managed.status_code) == (400, 404, 401)
    assert met is None
    assert [each.status_code for each in noted] == [400, 404, 401]
    assert noted[0].certificate == noted[1].certificate == "CN=device-1"


async def test_faults_reach_the_worker() -> None:
    """They are decided in the parent and delivered by the worker."""
    faults = '[[rule]]\noperation = "connect"\nconnack = 3\n'
    async with joined(local(faults=faults)) as (remote,):
        met = await remote.meet(
            Point.CONNECT, registration_id="device-1", transport="mqtt", certificates=()
        )

    assert met is not None
    assert met.connack == 3


async def test_many_questions_are_open_at_once() -> None:
    """Each gets its own answer, also if one of them was given up."""
    async with joined(local()) as (remote,):
        answers: dict[int, Response] = {}

        async def ask(status: int) -> None:
            answers[status] = await remote.refuse(
                status, "", what="", transport="https", certificates=()
            )

        with anyio.move_on_after(0):
            await ask(999)

        async with anyio.create_task_group() as tasks:
            for status in range(400, 450):
                tasks.start_soon(ask, status)

    told = {status: answer.status_code for status, answer in answers.items()}
    assert told == {status: status for status in range(400, 450)}


async def test_a_client_that_comes_back_through_another_worker_ends_its_old_session() -> None:
    """MQTT 3.1.1, 3.1.4-2; the others stay, and who has left is not ended any more."""
    async with joined(local(), workers=2) as (one, other):
        ended = anyio.Event()

        def never() -> None:
            raise AssertionError("ended")

        with one.session("a", end=ended.set), one.session("b", end=never):
            await one.refuse(
                404, "", what="", transport="mqtt", certificates=()
            )  # it is in by now
            with other.session("c", end=never):
                pass

            with other.session("a", end=never):
                await ended.wait()

            with one.session("c", end=never):
                await one.refuse(404, "", what="", transport="mqtt", certificates=())


async def test_handshakes_that_came_to_nothing_are_taken_down() -> None:
    """In the parent's journal, as those of a single process are."""
    noted: list[Exchange] = []
    exchange = Exchange(transport="mqtt", what="handshake", status_code=0, took=0.0, message="why")
    async with joined(local(), note=noted.append) as (remote,):
        remote.note(exchange)
        await remote.refuse(404, "", what="", transport="mqtt", certificates=())

    assert noted == [exchange]
