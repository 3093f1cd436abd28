"""Every path through a network: what wins, how long it takes, and how often a device registers.

Devices and proxies are in one network namespace and the service in another one; what the firewall
between them drops, it drops for the proxies as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.paths.real_proxies import REAL_PROXIES
from tests.paths.site import MQTT_PORT, REST_PORT, Site

from aiodps.network.dial import TCP_TIMEOUT
from aiodps.network.tunnel import PROXY_TIMEOUT
from aiodps.transports import AUTO, TRANSPORTS
from aiodps.transports.auto import STAGGER

pytestmark = pytest.mark.network

WAYS = (*TRANSPORTS, AUTO)
PROXIES = ("none", *(each.kind for each in REAL_PROXIES))
QUICK = 5.0
"""Seconds that a registration may take which waits for no time limit, twenty at once."""
SLACK = 1.0
"""Seconds by which registrations of the same kind may differ, twenty at once."""


@dataclass(frozen=True)
class Network:
    """What a network lets through."""

    name: str
    rules: str = ""
    delay: float = 0.0
    open: frozenset[int] = frozenset({REST_PORT, MQTT_PORT})
    refuses: bool = False

    def __str__(self) -> str:
        """Name it in test ids and in the table."""
        return self.name


NETWORKS = (
    Network("open"),
    Network("8883 dropped", "add rule inet t in tcp dport 8883 drop", open=frozenset({REST_PORT})),
    Network(
        "8883 refused",
        "add rule inet t in tcp dport 8883 reject with tcp reset",
        open=frozenset({REST_PORT}),
        refuses=True,
    ),
    Network("443 dropped", "add rule inet t in tcp dport 443 drop", open=frozenset({MQTT_PORT})),
    Network("all dropped", "add rule inet t in tcp dport { 443, 8883 } drop", open=frozenset()),
    Network("100 ms round trip", delay=0.05),
)
HEADING = f"| network | transport | {' | '.join(PROXIES)} |\n|{' --- |' * (len(PROXIES) + 2)}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all networks."""
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def rows() -> Iterator[list[str]]:
    """Print the table when all networks are done."""
    rows: list[str] = []
    yield rows
    print("", HEADING, *rows, sep="\n")  # noqa: T201 (what the session is for)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_path(site: Site, network: Network, rows: list[str]) -> None:
    """Each transport, directly and through each proxy."""
    cells = {
        f"{network}-{way}-{proxy}".replace(" ", "-"): (way, proxy)
        for way in WAYS
        for proxy in PROXIES
    }
    site.set_network(network.rules, delay=network.delay)
    results = site.provision(
        [
            {"registration_id": name, "transport": way, "proxy": site.proxies[proxy]}
            for name, (way, proxy) in cells.items()
        ]
    )
    registers = site.registers()
    wrong = {}
    for (name, (way, proxy)), result in zip(cells.items(), results, strict=True):
        fault = fault_of(network, way, result, registers[name], direct=proxy == "none")
        if fault is not None:
            wrong[name] = f"{fault}: {result}, {registers[name]} registers"

    seconds = {cell: each["seconds"] for cell, each in zip(cells.values(), results, strict=True)}
    for proxy in PROXIES if network.open else ():
        open_ways = [way for way in TRANSPORTS if ports_of(way) & network.open]
        most = max(seconds[way, proxy] for way in open_ways) + STAGGER + SLACK
        if seconds[AUTO, proxy] > most:
            wrong[f"{network}-{AUTO}-{proxy}"] = f"a race costs more than its stagger: {seconds}"

    for way in WAYS:
        shown = [
            f"{result['winner'] or result['error']} {result['seconds']:.1f} s"
            for (each, _), result in zip(cells.values(), results, strict=True)
            if each == way
        ]
        rows.append(f"| {network} | {way} | {' | '.join(shown)} |")

    assert wrong == {}


def ports_of(way: str) -> frozenset[int]:
    """Return the ports that a transport can use."""
    return {
        "rest": frozenset({REST_PORT}),
        "mqtt": frozenset({MQTT_PORT}),
        "mqtt-ws": frozenset({REST_PORT}),
        AUTO: frozenset({REST_PORT, MQTT_PORT}),
    }[way]


def fault_of(
    network: Network, way: str, result: dict[str, Any], registers: int, *, direct: bool
) -> str | None:
    """Return what is wrong with winner, time, registers or error of a cell; None if nothing."""
    seconds, winner, error = result["seconds"], result["winner"], result["error"]
    if ports_of(way) & network.open:
        won = winner is not None and ports_of(winner) & network.open and way in {AUTO, winner}
        quick = seconds < QUICK
        return None if won and quick and registers == 1 else "it should be assigned, and soon"

    if winner is not None or registers:
        return "nothing should have arrived"

    if network.refuses:
        told = error == ("ConnectError" if direct else "ProxyError")
        return None if told and seconds < QUICK else "it should be told of a refusal, and soon"

    told = (error, result["phase"]) == ("TransportTimeoutError", "tcp" if direct else "proxy")
    in_time = seconds < max(TCP_TIMEOUT, PROXY_TIMEOUT) + QUICK
    return None if told and in_time else "it should be told of silence, after the time limit"
