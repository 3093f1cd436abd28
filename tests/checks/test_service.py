"""What the service itself says of a device, as a finding."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.emulated import DEVICES, QUICK, attestation, emulator

from aiodps import SymmetricKey
from aiodps.checks.model.finding import Finding, Verdict
from aiodps.checks.service import check_registration
from aiodps.emulator import Emulator
from aiodps.settings import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


@pytest.fixture
async def dps() -> AsyncIterator[Emulator]:
    """Run an emulator."""
    async with emulator() as running:
        yield running


def settings(dps: Emulator, **more: Any) -> Settings:
    """Return the settings of a device that uses the emulator over REST."""
    return Settings.load(
        **{
            "id_scope": dps.id_scope,
            "endpoint": dps.host,
            "trust": dps.ca_pem,
            "port": dps.https_port,
            "transport": "rest",
            "timeout": 20.0,
            **more,
        }
    )


async def registered(dps: Emulator, name: str, *, unknown: Any = None, **more: Any) -> Finding:
    """Register a device of the emulator's, or one that it does not know."""
    known = attestation(DEVICES[name]) if unknown is None else unknown
    retry = dataclasses.replace(QUICK, max_failures=1)
    return await check_registration(settings(dps, **more), (known,), ("rest",), retry=retry)


async def test_what_it_says(dps: Emulator) -> None:
    """A device that is assigned, and each refusal by its name, with what to do."""
    key = base64.b64encode(b"k" * 32).decode()
    wrong_key = SymmetricKey(registration_id="individual-1", key=key)
    assigned = await registered(dps, "individual")
    faults = {
        "scope": await registered(dps, "individual", id_scope="0ne00FFFFFF"),
        "disabled": await registered(dps, "disabled"),
        "key": await registered(dps, "", unknown=wrong_key),
    }

    assert assigned.verdict is Verdict.GOOD
    assert "'press-4'" in assigned.seen
    assert {name: each.fault for name, each in faults.items()} == {
        "scope": "not_found",
        "disabled": "registration_disabled",
        "key": "unauthorized",
    }
    assert all(each.advice for each in faults.values())


async def test_no_credential() -> None:
    """Nothing is registered without one."""
    finding = await check_registration(Settings(id_scope="0ne1"), (), ("rest",))

    assert finding.verdict is Verdict.NOT_TRIED
