"""Name resolution: one look-up serves all devices, and its result is kept for some seconds.

The system's look-up blocks and cannot be cancelled, so it runs in a thread of its own and does not
depend on the device that started it: when that one is cancelled, others may still be waiting, and
a look-up that nobody waits for simply ends. There is at most one at a time for a name, and it does
not keep the process from exiting. IP literals are not looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.lowlevel import RunVar

from aiodps.errors import DnsError, ProvisioningError, ResourceError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.network.tls_errors import translate

LOOKUP_TIMEOUT = 5.0
"""Seconds that a device waits for a look-up."""
ADDRESS_TTL = 5.0
"""Seconds for which addresses are reused."""
FAILURE_TTL = 1.0
"""Seconds for which a failure is reused, so that a fleet does not fail one device at a time."""


@dataclass(frozen=True, slots=True)
class Address:
    """A socket address: the arguments of `socket.socket` and `connect`."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


class LookUp:
    """A look-up in progress, or its result."""

    def __init__(self, host: str, port: int) -> None:
        self.result: tuple[Address, ...] | Exception | None = None
        """Addresses or an error; None while the look-up is in progress."""
        self._host = host
        self._port = port
        self._expires = math.inf
        self._finished = anyio.Event()

    @property
    def stale(self) -> bool:
        """Whether the result is too old to be reused."""
        return time.monotonic() >= self._expires

    def start(self) -> None:
        """Start the look-up, in a thread that ends with it.

        Raises:
            RuntimeError: If no thread can be started.
        """
        call_in_loop = _loop_scheduler()
        threading.Thread(
            target=self._run, args=(call_in_loop,), name=f"look-up of {self._host}", daemon=True
        ).start()

    def _run(self, call_in_loop: Callable[[Callable[[], None]], object]) -> None:
        result: tuple[Address, ...] | Exception
        try:
            result = _addresses(self._host, self._port)
        except (OSError, ValueError, MemoryError) as exc:
            result = exc

        # The event loop may have ended in the meantime.
        with contextlib.suppress(RuntimeError):
            call_in_loop(lambda: self._finish(result))

    def _finish(self, result: tuple[Address, ...] | Exception) -> None:
        self.result = result
        ttl = FAILURE_TTL if isinstance(result, Exception) else ADDRESS_TTL
        self._expires = time.monotonic() + ttl
        self._finished.set()

    async def wait(self) -> None:
        """Wait for the result, if it is not there yet.

        Raises:
            TimeoutError: If it takes longer than 5 s; the look-up continues.
        """
        if self.result is None:
            with anyio.fail_after(LOOKUP_TIMEOUT):
                await self._finished.wait()


def _loop_scheduler() -> Callable[[Callable[[], None]], object]:
    """Return a function that schedules a call in this event loop, from any thread."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 (installed if it is running)

        return trio.lowlevel.current_trio_token().run_sync_soon


_look_ups: RunVar[dict[tuple[str, int], LookUp]] = RunVar("aiodps_look_ups")


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Return the addresses of a host, in the order in which to try them.

    Raises:
        DnsError: If the name does not exist.
        TransportTimeoutError: If the look-up takes longer than 5 s.
        ResourceError: If this machine cannot start a look-up.
    """
    if is_literal(host):
        return _literal(host, port)

    look_up = _look_up(host, port)
    try:
        await look_up.wait()
    except TimeoutError as exc:
        raise TransportTimeoutError(
            f"the DNS look-up of {host!r} took more than {LOOKUP_TIMEOUT:g} s",
            hint="check the DNS servers of this machine",
        ).locate(phase=Phase.DNS) from exc

    match look_up.result:
        case tuple(addresses):
            return addresses
        case MemoryError() as error:
            raise error
        case error:
            raise _not_found(error, host) from error


@functools.lru_cache
def is_literal(host: str) -> bool:
    """Return whether a host is an IP address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False

    return True


def _literal(host: str, port: int) -> tuple[Address, ...]:
    try:
        return _addresses(host, port, flags=socket.AI_NUMERICHOST)
    except OSError as exc:  # an IPv6 scope without such an interface
        raise _not_found(exc, host) from exc


def _look_up(host: str, port: int) -> LookUp:
    """Return the look-up to wait for: one in progress, a recent one, or a new one."""
    cache = _cache()
    for key in [key for key, look_up in cache.items() if look_up.stale]:
        del cache[key]

    look_up = cache.get((host, port))
    if look_up is not None:
        return look_up

    look_up = LookUp(host, port)
    try:
        look_up.start()
    except RuntimeError as exc:
        raise ResourceError(f"cannot look up {host!r}: no thread can be started").locate(
            phase=Phase.DNS
        ) from exc

    cache[host, port] = look_up
    return look_up


def _cache() -> dict[tuple[str, int], LookUp]:
    try:
        return _look_ups.get()
    except LookupError:
        cache = dict[tuple[str, int], LookUp]()
        _look_ups.set(cache)
        return cache


def _not_found(error: Exception | None, host: str) -> ProvisioningError:
    """Return a new error for each device, because errors are located individually."""
    if isinstance(error, OSError):
        return translate(error, phase=Phase.DNS, host=host)

    return DnsError(f"{host!r} is not a valid host name").locate(phase=Phase.DNS)


def _addresses(host: str, port: int, *, flags: int = 0) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return _interleave([Address(family, sockaddr) for family, _, _, _, sockaddr in found])  # type: ignore[arg-type]  # stream sockets


def _interleave(addresses: list[Address]) -> tuple[Address, ...]:
    """Alternate between the address families, starting with the system's preference (RFC 8305)."""
    first = [one for one in addresses if one.family == addresses[0].family]
    other = [one for one in addresses if one.family != addresses[0].family]
    mixed: list[Address] = []
    while first or other:
        mixed.extend(family.pop(0) for family in (first, other) if family)

    return tuple(dict.fromkeys(mixed))
