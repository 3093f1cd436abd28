"""The parent's side of a worker: whatever a worker does, the parent goes on."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

import anyio
import pytest
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.clerk import Clerk
from aiodps.emulator.workers.frames import Setup
from aiodps.emulator.workers.remote_desk import NoAnswerError, RemoteDesk
from cryptography import x509
from tests.emulated import PATIENCE
from tests.emulator.workers.joined import joined, local

from aiodps.emulator.dispatch import Dispatcher
from aiodps.emulator.messages import Identity, Operation, Request, Response
from aiodps.emulator.service.service import Service

pytestmark = pytest.mark.anyio
REQUEST = Request(
    operation=Operation.REGISTER, id_scope="s", registration_id="device-1", api_version=None
)
SETUP = Setup(
    host="h", https_port=1, mqtt_port=1, certificate_pem=b"", private_key_pem=b"", log_level=0
)


class BrokenDesk(Dispatcher):
    """A desk with a bug."""

    async def refuse(
        self,
        status_code: int,
        reason: str,
        *,
        what: str,
        transport: str,
        certificates: Sequence[x509.Certificate],
    ) -> Response:
        """Fail."""
        raise ZeroDivisionError


async def test_a_bug_of_the_parent_costs_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged where it is; the worker's other connections go on."""
    dispatcher = BrokenDesk(Service(id_scope="s", linked_hubs=["h"]), lambda _: None)
    async with joined(dispatcher) as (remote,):
        with pytest.raises(NoAnswerError):
            await remote.refuse(404, "", what="", transport="https", certificates=())

        assert (
            await remote.answer(REQUEST, identity=Identity(), transport="mqtt")
        ).status_code == 400

    assert "ZeroDivisionError" in caplog.text


async def test_the_sessions_of_a_worker_go_with_it() -> None:
    """However it went."""
    dispatcher = local()
    ended: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs, anyio.fail_after(PATIENCE):
        far = Channel(theirs)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(far.write)
            clerk = Clerk(Channel(ours), dispatcher, lambda _: None, greet=lambda: None)
            with RemoteDesk(far).session("a", end=lambda: ended.append("the worker's")):
                async with anyio.create_task_group() as serving:
                    serving.start_soon(clerk.serve)
                    await anyio.wait_all_tasks_blocked()
                    with dispatcher.session("a", end=lambda: ended.append("the parent's")):
                        await anyio.wait_all_tasks_blocked()
                        theirs.shutdown(socket.SHUT_RDWR)

            with dispatcher.session("a", end=lambda: None):
                pass

            tasks.cancel_scope.cancel()

    assert ended == []


@pytest.mark.parametrize("side", ["parent", "worker"])
async def test_what_makes_no_sense_is_an_error(side: str) -> None:
    """Neither side takes the frames that it sends itself."""
    ours, theirs = socket.socketpair()
    with ours, theirs, anyio.fail_after(PATIENCE):
        near, far = Channel(ours), Channel(theirs)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(far.write)
            far.post(SETUP)
            clerk = Clerk(near, local(), lambda _: None, greet=lambda: None)
            serve: dict[str, Callable[[], Awaitable[None]]] = {
                "parent": clerk.serve,
                "worker": RemoteDesk(near).listen,
            }
            with pytest.raises(TypeError, match="says Setup"):
                await serve[side]()

            tasks.cancel_scope.cancel()
