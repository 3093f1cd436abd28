"""The fleet as a library."""

from __future__ import annotations

import csv
from pathlib import Path

import anyio
import psutil
import pytest
from tests.emulated import emulator
from tests.fleet.fleets import given, options, reaching

from aiodps.errors import ConfigurationError, JournalError, UsageError
from aiodps.fleet import Burst, Fleet, Outcome

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")],
)
ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@BOTH
async def test_from_devices_to_assignments(transport: str, tmp_path: Path) -> None:
    """Results in hand and in the folder; nothing is left open; once more changes nothing."""
    devices = given(8).devices
    async with emulator() as dps:
        before = psutil.Process().num_fds()
        for _ in range(2):
            async with Fleet(
                folder=tmp_path / "run",
                devices=devices,
                options=reaching(dps, tmp_path, transports=(transport,), arrivals=Burst()),
            ) as fleet:
                assert fleet.progress.total == 8
                results = await fleet.run()

        with anyio.fail_after(5):
            while psutil.Process().num_fds() > before:  # noqa: ASYNC110 (the emulator's side closes)
                await anyio.sleep(0.01)

    assert [one.outcome for one in results.samples] == [Outcome.ASSIGNED] * 8
    assert results.complete
    assert dps.counts.registers == {device.registration_id: 1 for device in devices}
    with (tmp_path / "run" / "assignments.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 9


@ASYNCIO
async def test_cancelled_it_can_be_gone_on_with(tmp_path: Path) -> None:
    """Whatever was under way is polled later; each device is registered once."""
    devices = given(6).devices
    async with emulator(assign_after=0.5) as dps:

        def fleet() -> Fleet:
            return Fleet(
                folder=tmp_path / "run",
                devices=devices,
                options=reaching(dps, tmp_path, transports=("mqtt",), arrivals=Burst()),
            )

        with anyio.move_on_after(10) as scope:
            async with fleet() as running, anyio.create_task_group() as tasks:
                tasks.start_soon(running.run)
                while sum(dps.counts.registers.values()) < 6:  # noqa: ASYNC110 (another's doing)
                    await anyio.sleep(0.001)

                await anyio.sleep(0.05)
                scope.cancel()

        async with fleet() as running:
            results = await running.run()

    assert results.counts_by_state["assigned"] == 6
    assert dps.counts.registers == {device.registration_id: 1 for device in devices}


@ASYNCIO
async def test_another_fleets_folder(tmp_path: Path) -> None:
    """A folder is one fleet's: with other devices it is refused."""
    async with emulator() as dps:
        for count in (2, 3):
            fleet = Fleet(
                folder=tmp_path / "run",
                devices=given(count).devices,
                options=reaching(dps, tmp_path),
            )
            if count == 2:
                async with fleet:
                    pass
            else:
                with pytest.raises(JournalError, match="another run"):
                    await fleet.__aenter__()


@ASYNCIO
async def test_it_has_to_be_entered(tmp_path: Path) -> None:
    """And it is one shard, whose service is there already."""
    devices = given(1).devices
    with pytest.raises(UsageError, match="not open"):
        await Fleet(folder=tmp_path, devices=devices, options=options()).run()

    with pytest.raises(ConfigurationError, match="one shard"):
        Fleet(folder=tmp_path, devices=devices, options=options(shards=2))
