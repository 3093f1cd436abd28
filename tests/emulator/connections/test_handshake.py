"""Handshakes that go wrong on purpose, over real sockets, and the journal of those that fail."""

from __future__ import annotations

import contextlib
import ssl

import anyio
import pytest
from tests.emulator.clients import (
    SCOPE,
    client_context,
    connect,
    device,
    mqtt,
    mqtt_connect,
    running,
)

from aiodps.emulator import Emulator
from aiodps.pki import Credential

pytestmark = pytest.mark.anyio
LOST = (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError, OSError)
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


def rule(text: str) -> dict[str, str]:
    """Make the option of an emulator."""
    return {"faults": f'[[rule]]\noperation = "handshake"\n{text}'}


async def shake(dps: Emulator, credential: Credential | None = None) -> BaseException | None:
    """Shake hands and see whether the connection lives; return what went wrong."""
    try:
        async with await connect(dps.https_port, client_context(dps, credential)) as stream:
            await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await stream.receive()
    except LOST as exc:
        return exc

    return None


def reason(error: BaseException | None) -> str:
    """Return what TLS said."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__

    return "" if error is None else str(error.reason)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (42, "BAD_CERTIFICATE"),
        (45, "CERTIFICATE_EXPIRED"),
        (48, "UNKNOWN_CA"),
        (49, "ACCESS_DENIED"),
        (40, "HANDSHAKE_FAILURE"),
        (80, "INTERNAL_ERROR"),
    ],
)
async def test_an_alert(alert: int, said: str) -> None:
    """In answer to the ClientHello; it is what the client's TLS reports."""
    async with running(**rule(f"alert = {alert}")) as dps:
        assert said in reason(await shake(dps, device()))


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_end_before_anything(how: str) -> None:
    """The next connection is taken."""
    async with running(**rule(f'first = 1\ndrop = "before"\nhow = "{how}"')) as dps:
        assert await shake(dps) is not None
        assert await shake(dps) is None


async def test_an_end_right_after_it() -> None:
    """The handshake succeeds, and nothing else does."""
    async with running(**rule('first = 1\ndrop = "sent"')) as dps:
        with pytest.raises(LOST):
            async with await connect(dps.https_port, client_context(dps)) as stream:
                await stream.receive()

        assert await shake(dps) is None


async def test_silence() -> None:
    """The ClientHello is taken, and nothing comes back."""
    async with running(**rule('drop = "before"\nhow = "silence"')) as dps:
        with anyio.move_on_after(0.3) as scope:
            await shake(dps)

        assert scope.cancelled_caught


async def test_garbage() -> None:
    """What comes back is no TLS."""
    async with running(**rule('garbage = "message"')) as dps:
        assert reason(await shake(dps)) != ""


async def test_a_delay() -> None:
    """And then all is well."""
    async with running(**rule("delay = 0.2")) as dps:
        began = anyio.current_time()
        assert await shake(dps) is None
        assert anyio.current_time() - began >= 0.2


async def test_only_one_port() -> None:
    """If the rule says so."""
    async with running(**rule('transport = "mqtt"\ndrop = "before"')) as dps:
        assert await shake(dps) is None
        with pytest.raises(LOST):
            async with mqtt(dps, device(), mqtt_connect()) as client:
                await client.take()


async def test_what_is_written_down() -> None:
    """The fault; and handshakes that fail without our doing."""
    async with running(**rule("first = 1\nalert = 48")) as dps:
        await shake(dps, device())
        async with await anyio.connect_tcp("127.0.0.1", dps.https_port) as plain:
            await plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(*LOST):
                await plain.receive()

        struck, failed = dps.request_log
        assert (struck.what, struck.fault) == ("TLS handshake", "rule 1")
        assert (struck.certificate, struck.status_code) == (None, 0)
        assert (failed.what, failed.fault) == ("TLS handshake", None)
        assert failed.message is not None
        assert "http request" in failed.message
