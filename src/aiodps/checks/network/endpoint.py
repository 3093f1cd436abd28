"""The checks of a network, in their order: name, TCP, TLS, HTTP, clock, WebSocket, MQTT.

Ports are checked concurrently, and so are address families; findings are shown in a fixed order,
as soon as those before them are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import anyio

from aiodps.checks.model.finding import Finding, Verdict, bad, good, not_tried
from aiodps.checks.model.plan import WEBSOCKET, Plan
from aiodps.checks.network.clock import check_clock
from aiodps.checks.network.dates import check_dates
from aiodps.checks.network.http import check_http
from aiodps.checks.network.mqtt import check_mqtt
from aiodps.checks.network.tcp import check_families, check_name
from aiodps.checks.network.tls import check_tls
from aiodps.checks.network.websocket import check_websocket
from aiodps.network.dial import Connection

Show: TypeAlias = Callable[[Finding], None]
"""Called with each finding, in order."""


async def check_endpoint(plan: Plan, *, within: float, show: Show) -> tuple[str, ...]:
    """Check name and ports of an endpoint.

    Args:
        plan: What is checked.
        within: Seconds after which checks that are not done are given up.
        show: Called with each finding.

    Returns:
        The transports that get through.
    """
    ports = [_Port(plan, port) for port in plan.paths]
    with anyio.move_on_after(within):
        addresses = await _way_to_first_hop(plan, show)
        async with anyio.create_task_group() as tasks:
            for port in ports:
                tasks.start_soon(port.check, addresses, lambda: _show_finished(ports, show))

    for port in ports:
        port.give_up(within)

    _show_finished(ports, show)
    usable = tuple(name for port in ports for name in port.usable)
    show(_summary(plan, usable))
    return usable


async def _way_to_first_hop(plan: Plan, show: Show) -> Mapping[str, str]:
    """Return the addresses to connect to, by family; of a proxy, one that accepts connections."""
    host, _ = plan.first_hop(0)
    found, addresses = await check_name(host)
    for each in found:
        show(each)

    if plan.proxy is None:
        return addresses

    found, address = await check_families(
        addresses, plan.proxy.port, host=host, connect=plan.connect
    )
    for each in found:
        show(each)

    return {} if address is None else {"proxy": address}


def _show_finished(ports: Sequence[_Port], show: Show) -> None:
    for port in ports:
        if not port.finished:
            return

        while port.findings:
            show(port.findings.pop(0))


def _summary(plan: Plan, usable: Sequence[str]) -> Finding:
    others = [name for names in plan.paths.values() for name in names if name not in usable]
    if not usable:
        return bad(
            "transport",
            "no_path",
            f"nothing gets through: neither {' nor '.join(others)}"
            if len(others) > 1
            else f"{others[0]} does not get through",
            "fix what is bad above, beginning with the first",
        )

    without = f"; not over {', '.join(others)}" if others else ""
    return good("transport", f"devices get through over {', '.join(usable)}{without}")


class _Port:
    """The checks of one port, each of which needs the ones before."""

    def __init__(self, plan: Plan, port: int) -> None:
        self.findings: list[Finding] = []
        """In order; those that were shown are taken away."""
        self.usable: list[str] = []
        """The transports that get through."""
        self.finished = False
        self._plan = plan
        self._port = port
        self._names = plan.paths[port]

    async def check(self, addresses: Mapping[str, str], done: Callable[[], None]) -> None:
        """Check everything, and then call a function."""
        address = await self._connect(addresses)
        if address is not None:
            await self._secure(address)

        self.finished = True
        done()

    def give_up(self, within: float) -> None:
        """Say that there was no time left, if there was none."""
        if not self.finished:
            why = f"not done within {within:g} s"
            self.findings.append(not_tried(f"port {self._port}", why, "give a longer --timeout"))
            self.finished = True

    async def _connect(self, addresses: Mapping[str, str]) -> str | None:
        """Return an address that accepts connections: the proxy's, which was checked, or one."""
        plan, port = self._plan, self._port
        if plan.proxy is None:
            host, _ = plan.first_hop(port)
            found, address = await check_families(addresses, port, host=host, connect=plan.connect)
            self.findings += found
            return address

        if not addresses:
            self.findings.append(not_tried(f"tls {port}", "the proxy cannot be reached"))

        return next(iter(addresses.values()), None)

    async def _secure(self, address: str) -> None:
        found, connection = await check_tls(self._plan, self._port, address)
        if found[-1].fault in {"expired", "not_yet_valid"} and "rest" in self._names:
            found[-1] = await check_dates(found[-1], self._plan, self._port)

        self.findings += found
        if connection is None:
            return

        try:
            if found[-1].verdict is Verdict.GOOD:
                await self._use(connection)
        finally:
            connection.close()

    async def _use(self, connection: Connection) -> None:
        """Check what each transport needs of the port besides TLS."""
        for name in self._names:
            if name == "rest":
                found = await self._check_http(connection)
            elif name == WEBSOCKET:
                found = await check_websocket(self._plan, self._port)
                self.findings.append(found)
            else:
                found = await check_mqtt(connection, self._port)
                self.findings.append(found)

            if found.verdict is not Verdict.BAD:
                self.usable.append(name)

    async def _check_http(self, connection: Connection) -> Finding:
        authority = self._plan.authority(self._port)
        found, answer = await check_http(connection, authority, self._port)
        self.findings.append(found)
        if answer is not None:
            date = answer.headers.get("date")
            self.findings.append(check_clock(date, self._plan.now()))

        return found
