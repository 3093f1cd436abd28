"""A relay to a server that keeps its first connections open and says nothing to them.

    python -m tests.scale.relay HOST PORT 5000

It prints its own port on the same host, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def relay(host: str, port: int, *, silent: int) -> Iterator[int]:
    """Run a relay in a process of its own; give its port."""
    command = [sys.executable, "-m", "tests.scale.relay", host, str(port), str(silent)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)

    writer.close()


async def _run(options: argparse.Namespace) -> None:
    numbers = itertools.count()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(numbers) < options.silent:
            with contextlib.suppress(OSError):
                while await reader.read(65536):
                    pass

            writer.close()
            return

        there, back = await asyncio.open_connection(options.host, options.port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(accept, options.host, 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (read by who started it)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections that are open are of no interest to anybody


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("silent", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_run(_options()))
