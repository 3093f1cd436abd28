"""Both halves of the way between worker and parent, in one process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.clerk import Clerk
from aiodps.emulator.workers.remote_desk import RemoteDesk
from tests.emulated import PATIENCE

from aiodps.emulator.dispatch import Dispatcher
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.presets import plan
from aiodps.emulator.request_log import Exchange, ExchangeListener
from aiodps.emulator.service.service import Service


def local(noted: list[Exchange] | None = None, faults: str = "") -> Dispatcher:
    """Make a desk before a service without enrollments."""
    service = Service(id_scope="s", linked_hubs=["h.azure-devices.net"])
    note = (noted if noted is not None else []).append
    return Dispatcher(service, note, FaultInjector(plan(faults, harsh=False, seed=None)))


@contextlib.asynccontextmanager
async def joined(
    dispatcher: Dispatcher, *, workers: int = 1, note: ExchangeListener = lambda _: None
) -> AsyncIterator[list[RemoteDesk]]:
    """Make remote desks whose questions the desk answers."""
    with contextlib.ExitStack() as sockets, anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            remotes = []
            for _ in range(workers):
                near, far = map(Channel, map(sockets.enter_context, socket.socketpair()))
                remote = RemoteDesk(far)
                clerk = Clerk(near, dispatcher, note, greet=lambda: None)
                for job in (near.write, far.write, clerk.serve, remote.listen):
                    tasks.start_soon(job)

                remotes.append(remote)

            yield remotes
            tasks.cancel_scope.cancel()
