"""The fleet as a library."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import anyio
import psutil
import pytest
from tests.attestation_kinds import POLICY
from tests.emulated import emulator, fleet
from tests.fleet.fleets import (
    NEVER,
    SETTINGS,
    awaited,
    given,
    options,
    release,
    with_address,
)

from aiodps import X509
from aiodps.emulator.protocol.messages import Operation
from aiodps.errors import ConfigurationError, JournalError, UsageError
from aiodps.fleet import Burst, Evaluation, Fleet, Outcome

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

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
        for _ in range(2):
            async with Fleet(
                folder=tmp_path / "run",
                devices=devices,
                options=with_address(dps, tmp_path, transports=(transport,), arrivals=Burst()),
                evaluation=Evaluation(fail_if="errors>0"),
            ) as fleet:
                assert fleet.progress.total == 8
                results = await fleet.run()

        here = psutil.Process()
        ports = {dps.https_port, dps.mqtt_port}
        assert not [
            one for one in here.net_connections() if getattr(one.raddr, "port", 0) in ports
        ]
        assert not [one for one in here.open_files() if one.path.startswith(str(tmp_path))]

    assert [one.outcome for one in results.samples] == [Outcome.ASSIGNED] * 8
    assert results.complete
    assert dps.counts.register_requests == {device.registration_id: 1 for device in devices}
    thresholds = json.loads((tmp_path / "run" / "summary.json").read_text())["thresholds"]
    assert [(one["threshold"], one["passed"]) for one in thresholds[:2]] == [
        ("errors>0", True),
        ("unfinished>0", True),
    ]
    with (tmp_path / "run" / "assignments.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 9


@ASYNCIO
async def test_certificates_are_issued(tmp_path: Path) -> None:
    """Each is saved with its key; one whose key went down with its process is asked for anew."""
    devices, keys = given(3).devices, tmp_path / "keys"
    async with emulator(enrollments=fleet(**POLICY), assign_after=NEVER) as dps:

        def issuing() -> Fleet:
            with_keys = with_address(
                dps,
                tmp_path,
                settings=SETTINGS.replace(issue="p256"),
                keys_out=keys,
                arrivals=Burst(),
            )
            return Fleet(folder=tmp_path / "run", devices=devices, options=with_keys)

        with awaited(dps, Operation.OPERATION_STATUS, 3) as polled, anyio.CancelScope() as scope:
            async with issuing() as running, anyio.create_task_group() as tasks:
                tasks.start_soon(running.run)
                await polled.wait()
                scope.cancel()

        assert not keys.exists()
        release(dps)
        async with issuing() as running:
            results = await running.run()

    assert [one.outcome for one in results.samples] == [Outcome.ASSIGNED] * 3
    assert {*keys.iterdir()} == {keys / f"{one.registration_id}.pem" for one in devices}
    assert all(X509.from_files(path).registration_id == path.stem for path in keys.iterdir())
    assert set(dps.counts.register_requests.values()) == {2}
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"PRIVATE" not in path.read_bytes()


@ASYNCIO
async def test_a_device_that_is_issued_nothing_has_failed(tmp_path: Path) -> None:
    """It is assigned at the service, and not what was asked for."""
    settings = SETTINGS.replace(issue="p256")
    async with emulator() as dps:
        asked = with_address(dps, tmp_path, settings=settings, keys_out=tmp_path / "keys")
        async with Fleet(folder=tmp_path / "run", devices=given(1).devices, options=asked) as run:
            results = await run.run()

    assert [one.error_class for one in results.samples] == ["IssuanceError"]


@ASYNCIO
async def test_cancelled_it_can_be_gone_on_with(tmp_path: Path) -> None:
    """Whatever was under way is polled later; each device is registered once."""
    devices = given(6).devices
    async with emulator(assign_after=NEVER) as dps:

        def fleet() -> Fleet:
            return Fleet(
                folder=tmp_path / "run",
                devices=devices,
                options=with_address(dps, tmp_path, transports=("mqtt",), arrivals=Burst()),
            )

        # Whoever polls has its operation in the journal.
        with awaited(dps, Operation.OPERATION_STATUS, 6) as polled, anyio.CancelScope() as scope:
            async with fleet() as running, anyio.create_task_group() as tasks:
                tasks.start_soon(running.run)
                await polled.wait()
                scope.cancel()

        release(dps)
        async with fleet() as running:
            results = await running.run()

    assert results.counts_by_state["assigned"] == 6
    assert dps.counts.register_requests == {device.registration_id: 1 for device in devices}


@ASYNCIO
async def test_another_fleets_folder(tmp_path: Path) -> None:
    """A folder is one fleet's: with other devices it is refused."""
    async with emulator() as dps:
        for count in (2, 3):
            fleet = Fleet(
                folder=tmp_path / "run",
                devices=given(count).devices,
                options=with_address(dps, tmp_path),
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
