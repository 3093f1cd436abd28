"""aiodps through its fleet harness: the same registrations, and a durable journal of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.baseline import Server

import aiodps
from aiodps.fleet import Closed, Device, Fleet, RunOptions


async def rest(server: Server, devices: list[Path], concurrency: int) -> None:
    """Provision all over REST."""
    await _provision_all(server, devices, concurrency, "rest")


async def mqtt(server: Server, devices: list[Path], concurrency: int) -> None:
    """Provision all over MQTT."""
    await _provision_all(server, devices, concurrency, "mqtt")


async def _provision_all(
    server: Server, devices: list[Path], concurrency: int, transport: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ca = Path(name, "ca.pem")
        ca.write_text(server.ca)  # noqa: ASYNC240 (before anything runs)
        options = RunOptions(
            settings=aiodps.Settings(
                id_scope=server.id_scope, endpoint=server.host, trust=str(ca)
            ),
            ports={"rest": server.https_port, "mqtt": server.mqtt_port},
            min_poll_interval=0,
            transports=(transport,),
            arrivals=Closed(concurrency=concurrency),
        )
        async with Fleet(
            folder=Path(name, "run"),
            devices=[_device(chain) for chain in devices],
            options=options,
        ) as fleet:
            results = await fleet.run()

    assert not results.failed


def _device(chain: Path) -> Device:
    key = chain.with_name(chain.name.replace("_chain.pem", "_key.pem"))
    name = chain.name.removesuffix("_chain.pem")
    return Device(registration_id=name, attestation=aiodps.X509.from_files(chain, key))
