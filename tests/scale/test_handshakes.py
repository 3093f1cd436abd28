"""What the handshake limiter is worth over real sockets: crowds at servers that are busy or silent.

The laws behind these figures are in `tests/network/test_crowds.py`, where they are exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from benchmarks.baseline import Server
from benchmarks.server import emulator
from tests.fleet.known_runs import Measured, shard_specs
from tests.scale.known_service import known_service
from tests.scale.relay import relay

import aiodps
from aiodps.attestation.base import NoCertificate
from aiodps.errors import ProvisioningError
from aiodps.fleet.measure.generator_load import raise_fd_limit
from aiodps.fleet.measure.percentiles import percentile
from aiodps.fleet.measure.processor import usage
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Burst
from aiodps.fleet.run.session import Session
from aiodps.network.dial import dial
from aiodps.network.endpoint import Endpoint
from aiodps.network.trust import Trust
from aiodps.observe import Reporter, Step, StepKind
from aiodps.pki import Authority, Credential
from aiodps.settings import Settings

pytestmark = [pytest.mark.scale, pytest.mark.anyio]
both = pytest.mark.parametrize("transport", ["rest", "mqtt"])
SILENT = 5_000
HEALTHY = 50
SLOW = 2_000
BURST = int(os.environ.get("AIODPS_FLEET_SCALE", "10000"))
MOST_LAG = 0.020
"""Seconds of processor time that another task of the loop waits for, p99."""
TIMEOUT = 900.0
"""Seconds for each device: what is measured is how long it takes, not whether it gives up."""
TICK = 0.01


@pytest.fixture
def anyio_backend() -> str:
    """Run where both transports run."""
    return "asyncio"


@pytest.fixture(scope="module")
def root() -> Authority:
    """The devices' root."""
    return Authority.root("scale root")


@pytest.fixture(scope="module")
def server(root: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run an emulator in a process of its own; it asks nobody to wait."""
    raise_fd_limit(BURST)
    with emulator(tmp_path_factory.mktemp("emulator"), root) as running:
        yield running


@dataclass
class Crowd:
    """Devices that are provisioned at once, and what became of them."""

    server: Server
    transport: str
    port: int
    root: Authority
    latencies: list[float] = field(default_factory=list)
    """Of those that were assigned."""
    register_requests: int = 0

    async def provision(self, count: int) -> None:
        """Provision new devices, all at once."""
        devices = [
            self.root.device(f"{self.transport}-{self.port}-{number}") for number in range(count)
        ]
        attestations = [_attestation(device) for device in devices]
        settings = Settings(
            id_scope=self.server.id_scope,
            endpoint=self.server.host,
            port=self.port,
            transport=self.transport,
            trust=self.server.ca.encode(),
            timeout=TIMEOUT,
        )
        retry = aiodps.RetryPolicy(min_poll_interval=0.0)
        client = aiodps.ProvisioningClient.from_settings(settings, retry=retry)
        began = time.monotonic()

        async def one(attestation: aiodps.X509) -> None:
            await client.provision(attestation=attestation, on_step=note)
            self.latencies.append(time.monotonic() - began)

        def note(step: Step) -> None:
            self.register_requests += step.kind is StepKind.REGISTERING

        async with anyio.create_task_group() as tasks:
            for attestation in attestations:
                tasks.start_soon(one, attestation)

    @property
    def p99(self) -> float:
        """Seconds until 99 of 100 were assigned."""
        return percentile(sorted(self.latencies), "99")


def _attestation(device: Credential) -> aiodps.X509:
    return aiodps.X509.from_bytes(certificate=device.chain_pem, private_key=device.private_key_pem)


def port_of(server: Server, transport: str) -> int:
    """Return the port of a transport."""
    return server.https_port if transport == "rest" else server.mqtt_port


async def _say_nothing(server: Server, port: int) -> None:
    """Connect to a server that says nothing, until the time for that is over."""
    endpoint = Endpoint(
        host=server.host,
        port=port,
        identity=NoCertificate(),
        trust=Trust.of(server.ca.encode()),
        report=Reporter("silent", "rest"),
    )
    with suppress(ProvisioningError):
        await dial(endpoint)


@both
@pytest.mark.parametrize(("same", "most"), [(False, 4.0), (True, 12.0)], ids=["other", "same"])
async def test_fifty_behind_five_thousand_that_are_silent(
    transport: str, same: bool, most: float, server: Server, root: Authority, show: Any
) -> None:
    """Silence costs the other devices of its endpoint 250 ms for each 128, and nobody else."""
    port = port_of(server, transport)
    with relay(server.host, port, silent=SILENT) as silent:
        crowd = Crowd(server, transport, silent if same else port, root)
        async with anyio.create_task_group() as tasks:
            for _ in range(SILENT):
                tasks.start_soon(_say_nothing, server, silent)

            await anyio.lowlevel.checkpoint()
            await crowd.provision(HEALTHY)
            tasks.cancel_scope.cancel()

    show(f"{transport}: p99 {crowd.p99:.1f} s behind {SILENT} silent, at most {most:g}")
    assert len(crowd.latencies) == crowd.register_requests == HEALTHY
    assert crowd.p99 <= most


@both
async def test_a_server_that_does_two_hundred_handshakes_at_once(
    transport: str, tmp_path: Path, show: Any
) -> None:
    """A second for each: 2,000 take 10 s, or as long as this process wants a core; and 3 s more."""
    with known_service({}, "--handshake", "1", "--at-once", "200") as service:
        (spec,) = shard_specs(
            tmp_path,
            count=SLOW,
            ca=service.ca.encode(),
            ports=service.ports,
            transports=(transport,),
            arrivals=Burst(),
            journal="memory",
            give_up_after=TIMEOUT,
        )
        with Session(spec) as session:
            before = usage()
            await session.run()
            after = usage()
            samples = Measured.of(session.entries()).samples

    last = max(sample.finished for sample in samples)
    used, waited = after.cpu - before.cpu, (after.delay or 0.0) - (before.delay or 0.0)
    show(f"{transport}: {SLOW} in {last:.1f} s, a core for {used:.1f} s, {waited:.1f} s without")
    assert {sample.outcome for sample in samples} == {Outcome.ASSIGNED}
    assert sum(sample.register_requests for sample in samples) == SLOW
    assert last <= max(10, used + waited) + 3


class OwnLag:
    """Measures what one turn of this loop costs, in processor time: others' processes are not ours."""

    def __init__(self) -> None:
        self.turns: list[float] = []

    async def run(self) -> None:
        """Measure a hundred times a second until cancelled."""
        while True:
            await anyio.sleep(TICK)
            before = time.thread_time()
            await anyio.lowlevel.checkpoint()
            self.turns.append(time.thread_time() - before)


@both
async def test_a_burst_of_ten_thousand(
    transport: str, server: Server, root: Authority, show: Any
) -> None:
    """Nobody is lost, none is billed twice, and no other task of the loop waits for long."""
    crowd, lag = Crowd(server, transport, port_of(server, transport), root), OwnLag()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lag.run)
        await crowd.provision(BURST)
        tasks.cancel_scope.cancel()

    own = percentile(sorted(lag.turns), "99")
    show(f"{transport}: {BURST} in {max(crowd.latencies):.0f} s, own lag p99 {own * 1000:.1f} ms")
    assert len(crowd.latencies) == crowd.register_requests == BURST
    assert own < MOST_LAG


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Any:
    """Print a measurement, whatever pytest captures."""

    def shown(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}")  # noqa: T201 (a measurement)

    return shown
