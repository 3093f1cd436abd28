"""The only loop: joins the machine, a transport and the clock, on asyncio and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, assert_never

import anyio

from aiodps.errors import ProvisioningError, TransportTimeoutError
from aiodps.models import Assignment, Phase
from aiodps.observe import Reporter, StepKind
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.registration.actions import Action, Connect, Fail, Finish, Send, Wait, WaitReason
from aiodps.registration.events import (
    Connected,
    Event,
    ExchangeFailed,
    ResponseReceived,
    Started,
    WaitElapsed,
)
from aiodps.registration.machine import Registration
from aiodps.transports.base import Transport

T = TypeVar("T")


async def drive(machine: Registration, transport: Transport, report: Reporter) -> Assignment:
    """Run a registration to its end and close the transport, whatever happens.

    Raises:
        ProvisioningError: If the registration failed.
    """
    began = anyio.current_time()
    event: Event = Started()
    try:
        while True:
            action = machine.receive(event, now=anyio.current_time())
            _report(report, action, began)
            match action:
                case Connect(deadline):
                    event = await _attempt(transport.connect, deadline, lambda _: Connected())
                case Send(request, deadline):
                    event = await _attempt(
                        lambda: transport.exchange(request),
                        deadline,
                        ResponseReceived,
                    )
                case Wait(until):
                    await anyio.sleep_until(until)
                    event = WaitElapsed()
                case Finish(assignment):
                    return assignment
                case Fail(error):
                    raise error
                case _:
                    assert_never(action)
    finally:
        with anyio.CancelScope(shield=True):
            await transport.aclose()

        report(StepKind.CLOSED, Phase.POLL)


async def _attempt(
    work: Callable[[], Awaitable[T]], deadline: float, done: Callable[[T], Event]
) -> Event:
    """Do one thing until a deadline; trouble becomes an event, cancellation passes through."""
    with anyio.CancelScope(deadline=deadline):
        try:
            return done(await work())
        except ProvisioningError as error:
            return ExchangeFailed(error)

    late = TransportTimeoutError("no answer came in time").locate(phase=Phase.TCP)
    return ExchangeFailed(late)


def _report(report: Reporter, action: Action, began: float) -> None:
    """Turn the machine's actions into steps."""
    if not report.enabled:
        return

    now = anyio.current_time()
    match action:
        case Send(Register()):
            report(StepKind.REGISTERING, Phase.REGISTER)
        case Send(QueryStatus()):
            report(StepKind.POLLING, Phase.POLL)
        case Wait(until, WaitReason.TROUBLE, error):
            phase = error.phase if error is not None else Phase.WAIT
            text = error.message if error is not None else ""
            report(StepKind.RETRYING, phase, wait=max(until - now, 0.0), text=text)
        case Wait(until, reason):
            kind = {
                WaitReason.ACCEPTED: StepKind.ACCEPTED,
                WaitReason.ASSIGNING: StepKind.ASSIGNING,
            }[reason]
            report(kind, Phase.REGISTER if kind is StepKind.ACCEPTED else Phase.POLL)
            report(StepKind.WAITING, Phase.WAIT, wait=max(until - now, 0.0))
        case Finish():
            report(StepKind.ASSIGNED, Phase.POLL, took=now - began)
        case Fail(error):
            report(StepKind.FAILED, error.phase, took=now - began, text=error.message)
        case _:
            return
