"""Name and TCP: whether the endpoint's addresses are found, and accept connections."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from aiodps.checks.model.finding import Finding, Verdict, bad, good, not_tried
from aiodps.checks.model.plan import Connector
from aiodps.errors import DnsError, ProvisioningError, TransportTimeoutError
from aiodps.network.dial import TCP_TIMEOUT
from aiodps.network.resolve import Address, is_literal, resolve

FAMILIES: Final = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
_NO_ROUTE: Final = {
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
}
_NOT_PERMITTED: Final = {errno.EACCES, errno.EPERM}
_OTHER_PORT: Final = {443: "mqtt", 8883: "rest or mqtt-ws"}
"""The transports that need another port."""


async def check_name(host: str) -> tuple[list[Finding], dict[str, str]]:
    """Look up the endpoint; return also the first address of each family."""
    try:
        found = await resolve(host, 0)
    except ProvisioningError as error:
        return [_not_found(error)], {}

    addresses = {family: _of_family(found, number) for family, number in FAMILIES.items()}
    firsts = {family: each[0] for family, each in addresses.items() if each}
    if is_literal(host):
        return [not_tried("name", f"{host} is an address: nothing is looked up")], firsts

    return [_found(family, each) for family, each in addresses.items()], firsts


def _of_family(found: Sequence[Address], number: int) -> list[str]:
    return [each.sockaddr[0] for each in found if each.family == number]


def _found(family: str, addresses: Sequence[str]) -> Finding:
    if addresses:
        return good(f"name {family}", ", ".join(addresses[:3]))

    return not_tried(f"name {family}", f"the name has no {family} address")


def _not_found(error: ProvisioningError) -> Finding:
    match error:
        case TransportTimeoutError():
            fault = "dns_silent"
        case DnsError(persistent=True):
            fault = "unknown_name"
        case _:
            fault = "dns"

    return bad("name", fault, error.message, error.hint)


async def check_families(
    addresses: Mapping[str, str], port: int, *, host: str, connect: Connector
) -> tuple[list[Finding], str | None]:
    """Check TCP with all families at the same time; return an address that accepts connections."""
    if not addresses:
        return [not_tried(f"tcp {port}", "there is no address")], None

    found: dict[str, Finding] = {}

    async def check(family: str) -> None:
        address = addresses.get(family)
        found[family] = await check_tcp(family, address, port, host=host, connect=connect)

    async with anyio.create_task_group() as tasks:
        for family in FAMILIES:
            tasks.start_soon(check, family)

    open_to = [family for family in FAMILIES if found[family].verdict is Verdict.GOOD]
    in_order = of_families([found[family] for family in FAMILIES])
    return in_order, addresses[open_to[0]] if open_to else None


async def check_tcp(
    family: str, address: str | None, port: int, *, host: str, connect: Connector
) -> Finding:
    """Open one TCP connection, and close it."""
    name = f"tcp {port} {family}"
    if address is None:
        return not_tried(name, f"there is no {family} address")

    began = anyio.current_time()
    try:
        with anyio.fail_after(TCP_TIMEOUT):
            stream = await connect(address, port)
    except TimeoutError:
        seen = f"{address} did not answer within {TCP_TIMEOUT:g} s: packets are dropped"
        return bad(name, "dropped", seen, _advice(port, host))
    except OSError as exc:
        return _refused(name, _code(exc), address, port, host)

    took = anyio.current_time() - began
    await anyio.aclose_forcefully(stream)
    return good(name, f"{address} in {took * 1000:.0f} ms")


def _code(exc: OSError) -> int:
    """Return the error number, which anyio wraps."""
    cause = exc.__cause__
    inner = cause.errno if isinstance(cause, OSError) else None
    return exc.errno or inner or 0


def _refused(name: str, code: int, address: str, port: int, host: str) -> Finding:
    said = os.strerror(code) if code else "no connection"
    if code in _NO_ROUTE and name.endswith("IPv6"):
        return not_tried(name, f"this machine has no IPv6 route to {address}")

    if code == errno.ECONNREFUSED:
        return bad(name, "refused", f"{address} refused the connection", _advice(port, host))

    if code in _NOT_PERMITTED:
        advice = f"let outgoing connections to port {port} pass the firewall of this machine"
        return bad(name, "not_permitted", f"{address}: {said}", advice)

    return bad(name, "unreachable", f"{address}: {said}", _advice(port, host))


def _advice(port: int, host: str) -> str:
    allow = f"have outgoing TCP {port} to {host} allowed in the firewall"
    other = _OTHER_PORT.get(port)
    return f"{allow}, or use --transport {other}" if other else allow


def of_families(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings of all families at one port: silence in one of two is a black hole."""
    if not any(each.verdict is Verdict.GOOD for each in findings):
        return list(findings)

    return [_black_hole(each) if each.fault == "dropped" else each for each in findings]


def _black_hole(finding: Finding) -> Finding:
    family = finding.check.rpartition(" ")[2]
    return bad(
        finding.check,
        f"{family.lower()}_black_hole",
        finding.seen,
        f"{family} packets vanish on the way, while the other family works: have {family} repaired"
        " or turned off in this network; until then each new connection may take 0.25 s longer",
    )
