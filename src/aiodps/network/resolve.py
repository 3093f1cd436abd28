"""Names are looked up once for all devices that ask at the same time, and kept for seconds.

The system's look-up blocks and cannot be cancelled, so it runs in a thread, and it belongs to
nobody: a device that is cancelled leaves it to the others, one that comes back joins it, and one
that nobody waits for any more finishes alone. There is never more than one for the same name, and
it does not keep the process from ending. IP literals are not looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from aiodps.network.tls_errors import classify

LOOKUP_TIMEOUT = 5.0
"""Seconds a device waits for a look-up."""
KEEP = 5.0
"""Seconds an answer is used again."""
KEEP_FAILURE = 1.0
"""Seconds a failure is used again, so that a fleet does not queue up to fail one by one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to: what `socket.socket` and `connect` take."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


class LookUp:
    """One look-up in the making, or its answer."""

    def __init__(self, host: str, port: int) -> None:
        self.answer: tuple[Address, ...] | Exception | None = None
        """None as long as there is none."""
        self._host = host
        self._port = port
        self._good_until = math.inf
        self._answered = anyio.Event()

    @property
    def stale(self) -> bool:
        """Whether the answer is too old to be used."""
        return time.monotonic() >= self._good_until

    def start(self) -> None:
        """Begin, in a thread that ends with the look-up.

        Raises:
            RuntimeError: If there cannot be another thread.
        """
        tell = _into_this_loop()
        threading.Thread(
            target=self._run, args=(tell,), name=f"look-up of {self._host}", daemon=True
        ).start()

    def _run(self, tell: Callable[[Callable[[], None]], object]) -> None:
        answer: tuple[Address, ...] | Exception
        try:
            answer = _addresses(self._host, self._port)
        except (OSError, ValueError) as exc:
            answer = exc

        # The event loop may have ended in the meantime.
        with contextlib.suppress(RuntimeError):
            tell(lambda: self._settle(answer))

    def _settle(self, answer: tuple[Address, ...] | Exception) -> None:
        self.answer = answer
        keep = KEEP_FAILURE if isinstance(answer, Exception) else KEEP
        self._good_until = time.monotonic() + keep
        self._answered.set()

    async def wait(self) -> None:
        """Wait for the answer.

        Raises:
            TimeoutError: If it does not come within 5 s; the look-up goes on.
        """
        with anyio.fail_after(LOOKUP_TIMEOUT):
            await self._answered.wait()


def _into_this_loop() -> Callable[[Callable[[], None]], object]:
    """Return what runs a function in this event loop, from any thread, and does not wait."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 (is there only if it is running)

        return trio.lowlevel.current_trio_token().run_sync_soon


_look_ups: RunVar[dict[tuple[str, int], LookUp]] = RunVar("aiodps_look_ups")


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Look a host up; the first address is the one to try first.

    Raises:
        DnsError: If there is no such name.
        TransportTimeoutError: If the look-up takes longer than 5 s.
        ResourceError: If this machine cannot look anything up now.
    """
    if is_literal(host):
        return _literal(host, port)

    look_up = _look_up(host, port)
    try:
        await look_up.wait()
    except TimeoutError as exc:
        raise TransportTimeoutError(
            f"looking {host!r} up took over {LOOKUP_TIMEOUT:g} s",
            hint="check this machine's name servers",
        ).locate(phase=Phase.DNS) from exc

    match look_up.answer:
        case tuple(addresses):
            return addresses
        case error:
            raise _not_found(error, host) from error


def is_literal(host: str) -> bool:
    """Tell whether a host is an IP address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False

    return True


def _literal(host: str, port: int) -> tuple[Address, ...]:
    try:
        return _addresses(host, port, flags=socket.AI_NUMERICHOST)
    except OSError as exc:  # an IPv6 scope that is no interface of this machine
        raise _not_found(exc, host) from exc


def _look_up(host: str, port: int) -> LookUp:
    """Return the look-up to wait for: the one under way or done lately, or a new one."""
    known = _known()
    for key in [key for key, look_up in known.items() if look_up.stale]:
        del known[key]

    look_up = known.get((host, port))
    if look_up is not None:
        return look_up

    look_up = LookUp(host, port)
    try:
        look_up.start()
    except RuntimeError as exc:
        raise ResourceError(f"{host!r} cannot be looked up: no more threads").locate(
            phase=Phase.DNS
        ) from exc

    known[host, port] = look_up
    return look_up


def _known() -> dict[tuple[str, int], LookUp]:
    try:
        return _look_ups.get()
    except LookupError:
        known: dict[tuple[str, int], LookUp] = {}
        _look_ups.set(known)
        return known


def _not_found(error: Exception | None, host: str) -> ProvisioningError:
    """Make an error for each device: errors are located, and one is not for two."""
    if isinstance(error, OSError):
        return classify(error, phase=Phase.DNS, host=host)

    return DnsError(f"{host!r} cannot be a host name").locate(phase=Phase.DNS)


def _addresses(host: str, port: int, *, flags: int = 0) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return _interleave([Address(family, sockaddr) for family, _, _, _, sockaddr in found])  # type: ignore[arg-type]  # stream sockets


def _interleave(addresses: list[Address]) -> tuple[Address, ...]:
    """Alternate between the families, beginning with the system's favourite (RFC 8305)."""
    first = [one for one in addresses if one.family == addresses[0].family]
    other = [one for one in addresses if one.family != addresses[0].family]
    mixed: list[Address] = []
    while first or other:
        mixed.extend(family.pop(0) for family in (first, other) if family)

    return tuple(dict.fromkeys(mixed))
