"""Both halves of the way between worker and parent, in one process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
from tests.emulator.clients import PATIENCE

from aiodps.emulator.desk import LocalDesk
from aiodps.emulator.faults.decide import Faults
from aiodps.emulator.faults.presets import plan
from aiodps.emulator.journal import Exchange, Note
from aiodps.emulator.service.service import Service
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.clerk import Clerk
from aiodps.emulator.workers.remote_desk import RemoteDesk


def local(noted: list[Exchange] | None = None, faults: str = "") -> LocalDesk:
    """Make a desk before a service without enrollments."""
    service = Service(id_scope="s", linked_hubs=["h.azure-devices.net"])
    note = (noted if noted is not None else []).append
    return LocalDesk(service, note, Faults(plan(faults, harsh=False, seed=None)))


@contextlib.asynccontextmanager
async def joined(
    desk: LocalDesk, *, workers: int = 1, note: Note = lambda _: None
) -> AsyncIterator[list[RemoteDesk]]:
    """Make remote desks whose questions the desk answers."""
    with contextlib.ExitStack() as sockets, anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            remotes = []
            for _ in range(workers):
                near, far = map(Channel, map(sockets.enter_context, socket.socketpair()))
                remote = RemoteDesk(far)
                clerk = Clerk(near, desk, note, greet=lambda: None)
                for job in (near.write, far.write, clerk.serve, remote.listen):
                    tasks.start_soon(job)

                remotes.append(remote)

            yield remotes
            tasks.cancel_scope.cancel()
