"""All checks of a device, from its settings to the service's answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.certificates import DAY, root, write
from tests.checks.staged import clock
from tests.emulated import DEVICES, emulator
from tests.scripted.server import HOST, ScriptedServer

from aiodps.checks.device import Device, all_good, check_device, check_settings
from aiodps.checks.model.finding import Finding, Verdict
from aiodps.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.mark.parametrize(
    ("settings", "register", "verdict"),
    [
        (Settings(id_scope="0ne1"), True, Verdict.GOOD),
        (Settings(), True, Verdict.BAD),
        (Settings(), False, Verdict.NOT_TRIED),
    ],
)
async def test_settings(settings: Settings, *, register: bool, verdict: Verdict) -> None:
    """An id scope is needed to register, not to look at a network."""
    assert check_settings(settings, register=register).verdict is verdict


async def test_what_is_checked() -> None:
    """Where the device connects to is shown, without the proxy's password."""
    settings = Settings.load(
        id_scope="0ne1", address="192.0.2.7", proxy="http://ada:canary@proxy.example:3128"
    )
    seen = check_settings(settings, register=False).seen

    assert "at 192.0.2.7" in seen
    assert seen.endswith("proxy http://proxy.example:3128")


@pytest.mark.sockets
async def test_nothing_to_register() -> None:
    """Without a credential nothing is registered, whoever asks for it."""
    with ScriptedServer() as peer:
        settings = Settings(endpoint=HOST, port=peer.port, transport="rest", id_scope="0ne1")

    found: list[Finding] = []
    await check_device(Device(settings=settings, register=True), found.append)

    assert [each.fault for each in found if each.fault] == ["refused", "no_path"]
    assert found[-1].seen == "there is no credential that can be used"


@pytest.mark.sockets
@pytest.mark.parametrize("ahead", [timedelta(0), 3 * DAY])
async def test_at_an_emulator(tmp_path: Path, ahead: timedelta) -> None:
    """All is good, without a registration; a clock that is days off is the one fault."""
    certificate, key = write(DEVICES["individual"], tmp_path)
    found: list[Finding] = []
    async with emulator() as dps:
        settings = Settings.load(
            id_scope=dps.id_scope,
            endpoint=dps.host,
            trust=dps.ca_pem,
            transport="rest",
            port=dps.https_port,
            certificate=certificate,
            private_key=key,
        )
        verified = [root().certificate]
        device = Device(settings=settings, verified=verified, now=clock(ahead))
        usable = await check_device(device, found.append)

    assert usable == ("rest",)
    assert [each.fault for each in found if each.fault] == ["clock"] * bool(ahead)
    assert all_good(found) is not bool(ahead)
    assert found[-1].seen == "not asked for"
