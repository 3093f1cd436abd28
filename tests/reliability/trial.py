"""One registration against a service with a fault, on a clock that is put forward."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
from typing import Any

import anyio
import pytest
from tests.certificates import root
from tests.emulated import attestation
from tests.leftovers import nothing_left
from tests.reliability.faulty_service import DEVICE, FaultyService, Strike
from tests.reliability.strikes import DEADLINE
from tests.virtual_time import JumpingLoop, jump

import aiodps
from aiodps.network import dial, resolve
from aiodps.observe import StepKind
from aiodps.pki import Credential
from aiodps.transports.base import SessionName

FAILURES = 3
"""After so many in a row the client gives up."""


class Trial:
    """What a registration came to."""

    def __init__(
        self,
        strike: Strike,
        *,
        transport: str,
        phase: str,
        times: float,
        session: SessionName | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        self.assignment: aiodps.Assignment | None = None
        """The result; None if there is none."""
        self.error: BaseException | None = None
        """What was raised instead."""
        self.retries: list[aiodps.Step] = []
        """Waits that followed a failure."""
        self._session: SessionName | None = session
        self.service = FaultyService(loop, strike, transport=transport, phase=phase, times=times)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the places of look-ups, of TCP and of the wall clock."""
        connect, now = dial._connect_one, time.time

        def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            struck = self.service.strikes("DNS")
            found = struck.look_up(self.service) if struck else None
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))
                for address in found or ("127.0.0.1",)
            ]

        async def connect_one(*words: Any) -> socket.socket:
            if struck := self.service.strikes("TCP"):
                with anyio.fail_after(dial.TCP_TIMEOUT):
                    await struck.connect(self.service)

            return await connect(*words)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(dial, "_connect_one", connect_one)
        monkeypatch.setattr(time, "time", lambda: now() + self.service.wall_clock)
        for name in ("ADDRESS_TTL", "FAILURE_TTL"):
            monkeypatch.setattr(resolve, name, 0.0)

    async def run(self) -> None:
        """Provision the device; nothing of it is left afterwards."""
        with nothing_left():
            with self.service:
                await self._provision()
                self.service.retried.set()

            for thread in threading.enumerate():
                if thread.name.startswith("look-up"):
                    thread.join()

    async def _provision(self) -> None:
        client = aiodps.ProvisioningClient(
            id_scope="0ne00000000",
            endpoint="localhost",
            port=self.service.port,
            transport=self.service.transport,
            mqtt_session=self._session,
            trust=root().certificate_pem,
            timeout=DEADLINE,
            retry=aiodps.RetryPolicy(max_failures=FAILURES),
        )
        device = attestation(credential())
        with anyio.CancelScope() as scope:
            self.service.cancel = scope.cancel
            try:
                self.assignment = await client.provision(attestation=device, on_step=self._hear)
                await anyio.lowlevel.checkpoint()
            except (aiodps.ProvisioningError, MemoryError) as error:
                self.error = error
            except asyncio.CancelledError as error:
                self.error = error
                raise

    def _hear(self, step: aiodps.Step) -> None:
        """Let no wait last, and tell the service what the client knows."""
        jump(step.wait or 0)
        match step.kind:
            case StepKind.RETRYING:
                self.retries.append(step)
                self.service.attempt += 1
                if not self.service.left:
                    self.service.retried.set()
            case StepKind.ASSIGNED:
                if struck := self.service.strikes("CLEAN"):
                    struck.at_end(self.service)


@functools.cache
def credential() -> Credential:
    """Make what the device proves itself with."""
    return root().device(DEVICE)
