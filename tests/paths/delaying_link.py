"""A link between two network namespaces that delays packets: two TUN devices and this process.

Run as root: `python delaying_link.py NAMESPACE ADDRESS NAMESPACE ADDRESS`. Writes a line once the
link is up; each number on stdin is a new delay of one way, in seconds; ends when stdin does.
(netem would do the same, where the kernel has it.)
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import os
import select
import struct
import subprocess
import sys
import time
from typing import Final

_SET: Final = 0x400454CA
"""TUNSETIFF of <linux/if_tun.h>."""
_TUN_WITHOUT_HEADER: Final = 0x1001
"""IFF_TUN and IFF_NO_PI."""
_MTU: Final = 1500


def tun(name: str, namespace: str, address: str, peer: str) -> int:
    """Create a TUN device in a namespace; return its descriptor."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _SET, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
    for command in (
        f"ip link set {name} netns {namespace}",
        f"ip -n {namespace} addr add {address} peer {peer} dev {name}",
        f"ip -n {namespace} link set {name} up mtu {_MTU} txqueuelen 1000",
        f"ip -n {namespace} link set lo up",
    ):
        subprocess.run(command.split(), check=True)

    return device


def packets(device: int) -> list[bytes]:
    """Read what has arrived."""
    read: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            read.append(os.read(device, 2 * _MTU))

    return read


def forward(one: int, other: int) -> None:
    """Pass packets on, each after the delay, in the order of arrival."""
    delay, numbers = 0.0, itertools.count()
    waiting: list[tuple[float, int, int, bytes]] = []
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, device, packet = heapq.heappop(waiting)
            with contextlib.suppress(BlockingIOError):
                os.write(device, packet)

        left = waiting[0][0] - now if waiting else None
        ready, _, _ = select.select([one, other, 0], [], [], left)
        due = time.monotonic() + delay
        for source, target in ((one, other), (other, one)):
            for packet in packets(source) if source in ready else ():
                heapq.heappush(waiting, (due, next(numbers), target, packet))

        if 0 in ready:
            line = sys.stdin.readline()
            if not line:
                return

            delay = float(line)
            sys.stdout.write(line)
            sys.stdout.flush()


if __name__ == "__main__":
    here, address_here, there, address_there = sys.argv[1:]
    number = os.getpid() % 100_000
    devices = (
        tun(f"ad{number}a", here, address_here, address_there),
        tun(f"ad{number}b", there, address_there, address_here),
    )
    sys.stdout.write("up\n")
    sys.stdout.flush()
    forward(*devices)
