"""Runs against a service whose delays are known."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.certificates import root
from tests.fleet.fleets import SETTINGS, options
from tests.scripted.attested import Attested
from tests.scripted.known_service import KnownService
from tests.virtual_time import use_for_everything

from aiodps.fleet.journal.journal import Entry
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.devices import Device, InMemoryDevices
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.report.summary import Facts, Summary, summarize
from aiodps.fleet.run.session import Session

FACTS = Facts(command="aiodps fleet run", started_at=datetime(2026, 1, 1, tzinfo=UTC), arrivals="")


@dataclass(frozen=True, slots=True)
class Measured:
    """What the fleet says about a run; its devices in their order."""

    samples: Sequence[Sample]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Measured:
        """Take the samples of entries."""
        samples = [entry.sample for entry in entries if entry.sample is not None]
        return cls(sorted(samples, key=lambda sample: sample.registration_id))

    def summary(self) -> Summary:
        """Return what the fleet says of the only transport."""
        (figures,) = summarize(self.samples, FACTS)["transports"].values()
        return figures  # type: ignore[no-any-return]  # JSON

    def each(self, figure: Callable[[Sample], float]) -> list[float]:
        """List a figure of every device."""
        return [figure(sample) for sample in self.samples]


async def measured(
    service: KnownService,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    count: int,
    shards: int = 1,
    **changes: Any,
) -> Measured:
    """Run a fleet against the service, its shards side by side in this event loop."""
    use_virtual_clocks(monkeypatch)
    changes = {"journal": "memory", **changes}
    specs = shard_specs(folder, count=count, shards=shards, **changes)
    entries: list[Entry] = []

    async def run(spec: ShardSpec) -> None:
        with Session(spec) as session:
            await session.run()
            entries.extend(session.entries())

    async with service.running(monkeypatch), anyio.create_task_group() as tasks:
        for spec in specs:
            tasks.start_soon(run, spec)

    result = Measured.of(entries)
    for sample in [each for each in result.samples if each.outcome is Outcome.ASSIGNED]:
        told = sum(sample.phases.values()) + sample.backoff
        assert told == pytest.approx(sample.service_time, abs=1e-6), (
            "time that nobody accounts for"
        )

    return result


def use_virtual_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every clock be virtual, the wall clock too; leave out what takes time for nothing."""
    use_for_everything(monkeypatch)
    monkeypatch.setattr(time, "time", lambda: 1e9 + anyio.current_time())
    monkeypatch.setattr(gc, "collect", lambda: 0)  # takes longer than most of these runs


def shard_specs(
    folder: Path,
    *,
    count: int,
    shards: int = 1,
    give_up_after: float = 90.0,
    ca: bytes | None = None,
    **changes: Any,
) -> list[ShardSpec]:
    """Make the shards of a run of so many devices against the service; `ca` if it is not ours."""
    (folder / "ca.pem").write_bytes(ca or root().certificate_pem)
    devices = tuple(_device(f"fleet-{number:04}") for number in range(count))
    settings = SETTINGS.replace(trust=str(folder / "ca.pem"), timeout=give_up_after)
    return [
        ShardSpec(
            run_id="run-1",
            options=options(settings=settings, shards=shards, **changes),
            shard=shard,
            source=InMemoryDevices(devices),
            folder=folder,
        )
        for shard in range(shards)
    ]


def _device(name: str) -> Device:
    """Make a device without a certificate: the service takes its word, and TLS costs half."""
    return Device(registration_id=name, attestation=Attested(registration_id=name))
