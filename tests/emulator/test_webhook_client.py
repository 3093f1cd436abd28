"""Webhooks of custom allocation: real calls over real sockets, and all that can go wrong."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from OpenSSL import SSL
from tests import certificates
from tests.emulated import PATIENCE, running
from tests.emulator.instance import HUB, NOW, instance, poll, register
from tests.emulator.tokens import KEY, derived, signed, token
from tests.scripted.http import Line
from tests.scripted.server import CLOSED, ScriptedServer
from tests.scripted.tls import serving
from tests.scripted_client import Answer
from tests.scripted_client import http as connected
from tests.virtual_time import jump, on_both_loops

from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import CustomAllocation, EnrollmentGroup
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.service import Service
from aiodps.emulator.webhook_client import Webhooks
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
SECONDS = 60.0
"""That a webhook may take."""


def http(document: object, status: str = "200 OK", *more: str) -> bytes:
    """Write an HTTP answer."""
    body = json.dumps(document).encode()
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more)
    return "\r\n".join((*lines, "", "")).encode() + body


GOOD = http({"iotHubHostName": HUB, "payload": {"colour": "red"}})


class Webhook(ScriptedServer):
    """A webhook that always says the same."""

    line = Line

    def __init__(self, says: bytes | None, tls: SSL.Context | None = None) -> None:
        super().__init__(self._answer, tls=tls)
        self.says = says
        """None to say nothing, and to leave the caller waiting."""
        self.asked: list[tuple[str, Any]] = []
        """Heads and bodies of what came."""

    def _answer(self, line: Line) -> None:
        head, body = line.take()
        self.asked.append((head.decode(), json.loads(body)))
        if self.says is None:
            line.drain()
        else:
            line.send(self.says)


async def let_time_pass(hook: Webhook) -> None:
    """Jump over the time that a webhook has, once it was asked."""
    while not hook.asked:
        await anyio.lowlevel.checkpoint()

    jump(SECONDS)


def asking(url: str) -> Service:
    """Make an instance whose devices wait for a webhook."""
    group = EnrollmentGroup(
        enrollment_group_id="keys",
        attestation=SymmetricKeys(primary=KEY),
        allocation=Allocation(policy=AllocationPolicy.CUSTOM),
        custom_allocation=CustomAllocation(webhook_url=url, api_version="2021-10-01"),
    )
    return instance(group)


async def provisioned(
    service: Service, *, devices: int = 1, **options: Any
) -> list[dict[str, Any]]:
    """Let devices register, and wait until the webhook has decided about all of them."""
    webhooks = Webhooks(service.registrar, clock=lambda: NOW, **options)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(webhooks.run)
            accepted = {}
            for number in range(devices):
                name = f"device-{number}"
                identity = signed(name, key=derived(KEY, name))
                accepted[name] = identity, register(service, identity, registration_id=name)
                await anyio.lowlevel.checkpoint()

            while any(each.pending() for each in service.registrations.records()):
                await anyio.lowlevel.checkpoint()

            tasks.cancel_scope.cancel()

    answers = (poll(service, *each, registration_id=name) for name, each in accepted.items())
    return [answer.body["registrationState"] for answer in answers]


async def test_a_webhook_chooses() -> None:
    """It gets a POST with JSON, and its answer is the device's."""
    with Webhook(GOOD) as hook:
        (state,) = await provisioned(asking(f"http://127.0.0.1:{hook.port}/api/f?code=secret"))

    head, body = hook.asked[0]
    assert head.startswith("POST /api/f?code=secret HTTP/1.1\r\n")
    assert "content-type: application/json" in head.lower()
    assert body["deviceRuntimeContext"]["registrationId"] == "device-0"
    assert (state["assignedHub"], state["payload"]) == (HUB, {"colour": "red"})


async def test_many_devices() -> None:
    """Each is asked about once."""
    with Webhook(GOOD) as hook:
        states = await provisioned(asking(f"http://127.0.0.1:{hook.port}/"), devices=120)

    assert len(hook.asked) == 120
    assert {state["status"] for state in states} == {"assigned"}


async def test_https(tmp_path: Path) -> None:
    """The CA given is trusted, and no other."""
    authority = Authority.root("webhooks")
    ca, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca.write_bytes(authority.certificate_pem)
    other.write_bytes(certificates.root().certificate_pem)
    with Webhook(GOOD, serving(authority.server(["localhost"]))) as hook:
        url = f"https://localhost:{hook.port}/"
        (good,) = await provisioned(asking(url), ca=ca)
        (bad,) = await provisioned(asking(url), ca=other)

    assert good["status"] == "assigned"
    assert (bad["status"], bad["errorCode"]) == ("failed", 400207)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (http({}, "500 Internal Server Error"), "failed with status code: 500"),
        (http({}, "302 Found", "Location: http://localhost/"), "failed with status code: 302"),
        (http({"iotHubHostName": "other"}), "not a linked hub"),
        (http({"a": "x" * 100_000}), "larger than"),
        (b"SSH-2.0\r\n\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
        (None, "within 60 s"),
    ],
    ids=["500", "redirect", "other hub", "too large", "no HTTP", "nothing", "silence"],
)
@on_both_loops
async def test_a_webhook_that_fails(says: bytes | None, message: str) -> None:
    """The registration has failed, and says why; nothing is followed or tried again."""
    with Webhook(says) as hook:
        async with anyio.create_task_group() as tasks:
            if says is None:
                tasks.start_soon(let_time_pass, hook)

            service = asking(f"http://127.0.0.1:{hook.port}/")
            (state,) = await provisioned(service, seconds=SECONDS)

    assert len(hook.asked) == 1
    assert (state["status"], state["errorCode"]) == ("failed", 400207)
    assert message in state["errorMessage"]


async def test_nobody_is_there() -> None:
    """A webhook that cannot be reached has failed."""
    (state,) = await provisioned(asking("http://127.0.0.1:1/"))

    assert (state["status"], state["errorCode"]) == ("failed", 400207)


async def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with Webhook(GOOD) as hook:
        (state,) = await provisioned(asking(f"http://127.0.0.1:{hook.port}/"))

    assert state["status"] == "assigned"


def compressed(document: object, times: int) -> bytes:
    """Write a compressed answer."""
    body = json.dumps(document).encode()
    for _ in range(times):
        body = gzip.compress(body)

    coding = f"Content-Encoding: {', '.join(['gzip'] * times)}"
    lines = ("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", coding)
    return "\r\n".join((*lines, "", "")).encode() + body


@pytest.mark.parametrize("times", [1, 2])
async def test_nothing_is_decompressed(times: int) -> None:
    """A few bytes could become gigabytes; the webhook is told that nothing is wanted."""
    with Webhook(compressed({"iotHubHostName": HUB, "bomb": "x" * 100_000}, times)) as hook:
        (state,) = await provisioned(asking(f"http://127.0.0.1:{hook.port}/"))

    assert "accept-encoding: identity" in hook.asked[0][0].lower()
    assert "compressed" in state["errorMessage"]


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    """The connection is closed as soon as it is too large."""

    class Endless(Webhook):
        def _answer(self, line: Line) -> None:
            line.take()
            line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(*CLOSED):
                while True:
                    line.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    with Endless(None) as hook:
        (state,) = await provisioned(asking(f"http://127.0.0.1:{hook.port}/"))

    assert "larger than" in state["errorMessage"]


async def test_the_key_in_a_url_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Of no logger, at no level, whatever happens."""
    caplog.set_level(logging.DEBUG)
    with Webhook(GOOD) as hook:
        for url in (f"http://127.0.0.1:{hook.port}", "http://127.0.0.1:1", "https://[::1]:1"):
            await provisioned(asking(f"{url}/api/f?code=canary"))

    assert "canary" not in caplog.text


async def test_cookies_are_not_kept() -> None:
    """What one webhook sets no other gets."""
    with Webhook(GOOD.replace(b"Connection: close", b"Set-Cookie: a=canary")) as hook:
        await provisioned(asking(f"http://127.0.0.1:{hook.port}/"), devices=2)

    assert len(hook.asked) == 2
    assert not any("canary" in head for head, _ in hook.asked)


async def test_the_environment_has_no_say_in_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in whom it trusts, nor in who learns its keys."""
    authority = Authority.root("webhooks")
    ca, keys = tmp_path / "ca.pem", tmp_path / "keys"
    ca.write_bytes(authority.certificate_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    with Webhook(GOOD, serving(authority.server(["localhost"]))) as hook:
        (bad,) = await provisioned(asking(f"https://localhost:{hook.port}/"))
        (good,) = await provisioned(asking(f"https://localhost:{hook.port}/"), ca=ca)

    assert (bad["status"], good["status"]) == ("failed", "assigned")
    assert not keys.exists()


async def asked_by(dps: Emulator, method: str, end: str = "") -> Answer:
    """Send one request as `device-1`."""
    header = f"Authorization: {token(key=derived(KEY, 'device-1'), id_scope=dps.id_scope)}"
    path = f"/{dps.id_scope}/registrations/device-1{end}?api-version=2019-03-31"
    async with connected(dps) as client:
        return await client.ask(method, path, b"{}", [header])


async def assigned_hub(dps: Emulator) -> str:
    """Look `device-1` up until it is assigned."""
    while True:
        state = (await asked_by(dps, "POST")).body
        if state["status"] != "assigning":
            hub: str = state["assignedHub"]
            return hub


async def test_the_emulator_calls() -> None:
    """As a whole, without anybody's help; the second hub is one to choose."""
    with Webhook(http({"iotHubHostName": "two.azure-devices.net"})) as hook:
        enrollments = asking(f"http://127.0.0.1:{hook.port}/").enrollments
        options: dict[str, Any] = {"linked_hubs": ["two.azure-devices.net=5"]}
        async with running(enrollments=enrollments, **options) as dps:
            await asked_by(dps, "PUT", "/register")
            assert await assigned_hub(dps) == "two.azure-devices.net"


async def test_a_restart_asks_again(tmp_path: Path) -> None:
    """A device that waits for a webhook when the emulator ends is assigned by the next one."""
    with Webhook(None) as hook:
        enrollments = asking(f"http://127.0.0.1:{hook.port}/").enrollments
        options = {"enrollments": enrollments, "hub": HUB, "state": tmp_path / "state.db"}
        async with running(**options) as dps:
            accepted = await asked_by(dps, "PUT", "/register")

        hook.says = GOOD
        async with running(**options) as dps:
            end = f"/operations/{accepted.body['operationId']}"
            assert await assigned_hub(dps) == HUB
            assert (await asked_by(dps, "GET", end)).body["status"] == "assigned"


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    """A file without certificates is refused before anything runs."""
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for path in (empty, tmp_path / "gone.pem"):
        with pytest.raises(ConfigurationError, match=r"is empty|cannot be read"):
            Webhooks(instance().registrar, clock=lambda: NOW, ca=path)
