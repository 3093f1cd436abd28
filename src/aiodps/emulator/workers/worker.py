"""A worker: the process that does connections, and asks its parent everything else.

`python -m aiodps.emulator.workers.worker`, started by the parent with one end of a socket pair as
its standard input. It ends when the other end is closed, in whatever way the parent ended.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys

import anyio

from aiodps.emulator.connections.listener import Sharing
from aiodps.emulator.connections.tls import server_context
from aiodps.emulator.faults.decide import Faults
from aiodps.emulator.faults.handshakes import Handshakes
from aiodps.emulator.ports import Ports
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.frames import Ready, Setup
from aiodps.emulator.workers.remote_desk import RemoteDesk


async def work(channel: Channel) -> None:
    """Serve connections until the parent has gone."""
    frames = await channel.receive()
    if not frames:
        return

    (setup,) = frames
    assert isinstance(setup, Setup)  # noqa: S101 (the first frame)
    logging.basicConfig(
        level=setup.log_level, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S"
    )
    ports = Ports.bind(
        setup.host,
        https_port=setup.https_port,
        mqtt_port=setup.mqtt_port,
        sharing=Sharing.JOIN,
    )
    desk = RemoteDesk(channel)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(channel.write)
        ports.serve(
            desk,
            server_context(setup.server),
            tasks,
            door=lambda front: Handshakes(faults=Faults(), note=desk.note, front=front),
        )
        channel.post(Ready())
        await desk.listen()
        tasks.cancel_scope.cancel()


def main() -> None:
    """Serve on the socket that is the standard input."""
    # Who ends an emulator ends all its processes at once; the parent decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=sys.stdin.fileno()) as sock:
        anyio.run(work, Channel(sock))


if __name__ == "__main__":
    main()
