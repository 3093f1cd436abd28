"""Our client under each fault that a server can produce, over real sockets.

A passing fault ends with the device assigned, and with no more registers sent than answers to one
were lost; one that means no ends with its own error, at once; what may have been damaged on the way
is tried once more.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import pytest
from tests.emulated import DEVICES, attestation, client, emulator
from tests.virtual_time import jump, on_asyncio

import aiodps
from aiodps.emulator.request_log.log import Exchange

pytestmark = pytest.mark.sockets
DEVICE = "individual-1"
EXCHANGE_TIMEOUT = 20.0
PATIENCE = 120.0
"""Seconds after which a client that does not end has failed."""
MQTT = ("mqtt",)
BOTH = ("rest", "mqtt")


@dataclass(frozen=True)
class Case:
    """A fault and what it comes to."""

    rule: str
    registers: int = 1
    """Register requests that come until the device is assigned."""
    error: type[aiodps.ProvisioningError] | None = None
    """What it ends with instead."""
    times_out: bool = False
    """Whether no answer comes until the client has waited long enough."""
    attempts: int = 1
    """Tries until that."""
    transports: tuple[str, ...] = BOTH


def at(operation: str, effect: str) -> str:
    """Write a rule that strikes once."""
    return f'[[rule]]\noperation = "{operation}"\nfirst = 1\n{effect}'


HANDSHAKE = [
    Case(at("handshake", 'drop = "before"')),
    Case(at("handshake", 'drop = "before"\nhow = "reset"')),
    Case(at("handshake", 'drop = "sent"')),
    Case(at("handshake", 'drop = "sent"\nhow = "reset"')),
    Case(at("handshake", 'truncate = "message"')),
    Case(at("handshake", "drip = { bytes = 1, every = 0 }")),
    Case(at("handshake", "drip = { bytes = 400, every = 0.01 }")),
    Case(at("handshake", "delay = 0.2")),
    Case(at("handshake", "alert = 80")),
    Case(at("handshake", "alert = 40"), error=aiodps.TlsProtocolError),
    Case(at("handshake", "alert = 70"), error=aiodps.TlsProtocolError),
    Case(at("handshake", 'garbage = "message"'), error=aiodps.TlsProtocolError),
    *(
        Case(at("handshake", f"alert = {alert}"), error=aiodps.ClientCertificateRejectedError)
        for alert in (42, 43, 44, 45, 46, 48, 49, 116)
    ),
]
ENTRY = [
    *(
        Case(at(operation, effect), transports=MQTT)
        for operation in ("connect", "subscribe")
        for effect in (
            'drop = "before"',
            'drop = "before"\nhow = "reset"',
            'drop = "sent"',
            'truncate = "message"',
            "delay = 0.1",
            "drip = { bytes = 1, every = 0 }",
        )
    ),
    Case(at("connect", "connack = 3"), transports=MQTT),
    *(
        Case(at("connect", f"connack = {code}"), error=aiodps.UnauthorizedError, transports=MQTT)
        for code in (4, 5)
    ),
    Case(at("connect", "connack = 2"), error=aiodps.BadRequestError, transports=MQTT),
    *(
        Case(at(operation, effect), error=aiodps.ProtocolError, transports=MQTT)
        for operation, effect in (
            ("connect", "connack = 1"),
            ("connect", "connack = 7"),
            ("connect", "duplicate = 1"),
            ("connect", "oversize = 3000000"),
            ("subscribe", "suback = 128"),
            ("subscribe", "duplicate = 1"),
            ("subscribe", "oversize = 3000000"),
        )
    ),
]
LOST_ANSWERS = [
    Case(at(operation, effect), registers=2 if operation == "register" else 1)
    for operation in ("register", "operation status")
    for effect in (
        'drop = "before"',
        'drop = "after"',
        'drop = "after"\nhow = "reset"',
        'truncate = "message"',
        'garbage = "message"',
        "status = 429",
        "status = 429\nretry_after = 1",
        "status = 500",
        "status = 502",
        "status = 503\nretry_after = 0",
        "status = 504\nacts = true",
    )
]
ODD_ANSWERS = [
    *(
        Case(at(operation, effect), transports=transports)
        for operation in ("register", "operation status")
        for effect, transports in (
            ("delay = 0.2", BOTH),
            ("drip = { bytes = 1, every = 0 }", BOTH),
            ("retry_after = false", BOTH),
            ("members = { future = [1] }", BOTH),
            ("duplicate = 2", MQTT),
            ('wrong_rid = "before"', MQTT),
            ("stale = true", MQTT),
            ('reorder = "acknowledgement"', MQTT),
            ('extra_topics = ["$dps/registrations/x", "$iothub/y"]', MQTT),
        )
    ),
    *(
        Case(
            at(operation, effect),
            registers=2 if operation == "register" else 1,
            times_out=True,
            transports=transports,
        )
        for operation in ("register", "operation status")
        for effect, transports in (
            ("delay = 600", BOTH),
            ('drop = "after"\nhow = "silence"', BOTH),
            ('wrong_rid = "instead"', MQTT),
        )
    ),
    Case(at("operation status", "assigning = 3").replace("first = 1\n", "")),
    Case(at("operation status", "status = 404"), registers=2),
    Case(at("operation status", 'drop = "sent"\nhow = "reset"')),
    Case(at("operation status", 'drop = "sent"\nhow = "silence"')),
]
LASTING = [
    *(
        Case(at(operation, effect), error=error)
        for operation in ("register", "operation status")
        for effect, error in (
            ("status = 400", aiodps.BadRequestError),
            ("status = 401", aiodps.UnauthorizedError),
            ("status = 403", aiodps.ForbiddenError),
            ("status = 412", aiodps.ConflictError),
            ('redirect = "https://elsewhere.example/"', aiodps.RedirectRefusedError),
            ("oversize = 3000000", aiodps.ResponseTooLargeError),
        )
    ),
    Case(at("operation status", "failed = true"), error=aiodps.RegistrationFailedError),
    Case(at("operation status", "disabled = true"), error=aiodps.RegistrationDisabledError),
    Case(
        at("operation status", 'members = { registrationState = { registrationId = "other" } }'),
        error=aiodps.IdentityMismatchError,
    ),
    Case(
        at("operation status", 'members = { status = "warming" }'),
        error=aiodps.UnknownStatusError,
    ),
]
CASES = [
    pytest.param(case, transport, id=f"{transport}-{' '.join(case.rule.split()[1:])}")
    for case in (*HANDSHAKE, *ENTRY, *LOST_ANSWERS, *ODD_ANSWERS, *LASTING)
    for transport in case.transports
]


@on_asyncio
@pytest.mark.parametrize(("case", "transport"), CASES)
@pytest.mark.anyio
async def test_what_a_fault_comes_to(case: Case, transport: str) -> None:
    """Assigned with so many registers, or that error; nothing else."""

    def on_exchange(exchange: Exchange) -> None:
        if case.times_out and exchange.fault:
            jump(EXCHANGE_TIMEOUT)

    def on_step(step: aiodps.Step) -> None:
        jump(step.wait or 0)

    async with emulator(faults=case.rule, on_exchange=on_exchange) as dps:
        device = attestation(DEVICES["individual"])
        ours = client(dps, transport, exchange_timeout=EXCHANGE_TIMEOUT)
        with anyio.fail_after(PATIENCE):
            if case.error is None:
                assignment = await ours.provision(attestation=device, on_step=on_step)
                assert assignment.device_id == "press-4"
                assert dps.counts.register_requests == {DEVICE: case.registers}
            else:
                with pytest.raises(case.error) as caught:
                    await ours.provision(attestation=device, on_step=on_step)

                assert caught.value.attempts == case.attempts
