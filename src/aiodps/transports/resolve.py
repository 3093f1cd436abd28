"""Names are looked up once for all devices that ask at the same time, and kept for seconds.

The system's look-up runs in a thread and cannot be cancelled; one that nobody waits for any more
finishes alone. IP literals are not looked up.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from aiodps.errors import DnsError, ProvisioningError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.transports.tls_errors import classify

LOOKUP_TIMEOUT = 5.0
"""Seconds for one look-up."""
KEEP = 5.0
"""Seconds an answer is used again."""
KEEP_FAILURE = 1.0
"""Seconds a failure is used again, so that a fleet does not queue up to fail one by one."""
_LOOKUPS_AT_ONCE = 4
"""Threads in look-ups of different names, in each event loop."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to: what `socket.socket` and `connect` take."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


@dataclass(slots=True)
class _Entry:
    """What is known about one name."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    answer: tuple[Address, ...] | ProvisioningError | None = None
    good_until: float = 0.0


@dataclass(slots=True)
class _Names:
    """What one event loop knows."""

    entries: dict[tuple[str, int], _Entry] = field(default_factory=dict)
    threads: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_LOOKUPS_AT_ONCE)
    )


_names: RunVar[_Names] = RunVar("aiodps_names")


def is_literal(host: str) -> bool:
    """Tell whether a host is an IP address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False

    return True


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Look a host up; the first address is the one to try first.

    Raises:
        DnsError: If there is no such name.
        TransportTimeoutError: If the look-up takes longer than 5 s.
    """
    if is_literal(host):
        return _addresses(host, port)

    names = _names_of_this_loop()
    entry = names.entries.setdefault((host, port), _Entry())
    # Whoever comes first looks up; the others wait at the lock and find the answer there. If the
    # first is cancelled, the next one looks up.
    async with entry.lock:
        if anyio.current_time() >= entry.good_until:
            await _look_up(host, port, entry, names.threads)

    match entry.answer:
        case tuple(addresses):
            return addresses
        case error:
            raise _again(error)


def _names_of_this_loop() -> _Names:
    try:
        return _names.get()
    except LookupError:
        names = _Names()
        _names.set(names)
        return names


async def _look_up(host: str, port: int, entry: _Entry, threads: anyio.CapacityLimiter) -> None:
    try:
        with anyio.fail_after(LOOKUP_TIMEOUT):
            entry.answer = await anyio.to_thread.run_sync(
                _addresses, host, port, abandon_on_cancel=True, limiter=threads
            )
        entry.good_until = anyio.current_time() + KEEP
    except OSError as exc:
        entry.answer = _failure(exc, host)
        entry.answer.__cause__ = exc
        entry.good_until = anyio.current_time() + KEEP_FAILURE


def _failure(exc: OSError, host: str) -> ProvisioningError:
    if isinstance(exc, TimeoutError):
        late = TransportTimeoutError(f"looking {host!r} up took over {LOOKUP_TIMEOUT:g} s")
        return late.locate(phase=Phase.DNS)

    return classify(exc, phase=Phase.DNS, host=host)


def _again(error: ProvisioningError | None) -> ProvisioningError:
    """Make a fresh copy for each device: errors are located, and one is not for two."""
    fresh = type(error)(error.message) if error is not None else DnsError("no answer")
    fresh.__cause__ = error.__cause__ if error is not None else None
    return fresh.locate(phase=Phase.DNS)


def _addresses(host: str, port: int) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return _interleave([Address(family, sockaddr) for family, _, _, _, sockaddr in found])  # type: ignore[arg-type]  # stream sockets


def _interleave(addresses: list[Address]) -> tuple[Address, ...]:
    """Alternate between the families, beginning with the system's favourite (RFC 8305)."""
    first = [one for one in addresses if one.family == addresses[0].family]
    other = [one for one in addresses if one.family != addresses[0].family]
    mixed: list[Address] = []
    while first or other:
        mixed.extend(family.pop(0) for family in (first, other) if family)

    return tuple(dict.fromkeys(mixed))
