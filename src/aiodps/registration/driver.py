"""The driver: runs the state machine on a transport and a clock, on asyncio and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, assert_never

import anyio

from aiodps.errors import ProvisioningError, TransportTimeoutError, UnauthorizedError
from aiodps.models import Phase, RegistrationRecord
from aiodps.observe import Reporter, StepKind, event_loop_clock
from aiodps.protocol.messages import LookUpStatus, QueryStatus, Register, Request
from aiodps.registration.actions import (
    Action,
    Connect,
    Fail,
    Finish,
    R,
    Reauthenticate,
    Send,
    Wait,
    WaitReason,
)
from aiodps.registration.events import (
    Connected,
    Event,
    ExchangeFailed,
    Reauthenticated,
    ResponseReceived,
    Started,
    WaitElapsed,
)
from aiodps.registration.retrying import RetryingMachine
from aiodps.transports.base import Transport

T = TypeVar("T")


async def drive(
    machine: RetryingMachine[R],
    transport: Transport,
    report: Reporter,
    reauthenticate: Callable[[UnauthorizedError], Awaitable[str]],
) -> R:
    """Run a machine to its end, return its result, and close the transport whatever happens.

    Args:
        machine: The registration, or the look-up.
        transport: Carries its requests.
        report: Receives its steps.
        reauthenticate: Prepares another way to authenticate after a refusal, and returns what it
            is; or raises the refusal.

    Raises:
        ProvisioningError: If it failed.
    """
    clock = event_loop_clock()
    steps = _ActionReporter(report, clock())

    async def again(refusal: UnauthorizedError) -> str:
        way = await reauthenticate(refusal)
        # A session is authenticated once, and a connection has one certificate.
        transport.close()
        return way

    event: Event = Started()
    try:
        while True:
            now = clock()
            action = machine.receive(event, now=now)
            steps.report(action, now)
            match action:
                case Connect(deadline):
                    event = await _attempt(
                        transport.connect, deadline, lambda _: Connected(report.phase), report
                    )
                case Send(request, deadline):
                    event = await _attempt(
                        lambda: transport.exchange(request), deadline, ResponseReceived, report
                    )
                case Reauthenticate(refusal, deadline):
                    event = await _attempt(
                        lambda: again(refusal), deadline, steps.reauthenticated, report
                    )
                case Wait(until):
                    event = WaitElapsed()  # and no longer the response
                    await transport.wait_until(until)
                case Finish(result):
                    return result
                case Fail(error):
                    raise error
                case _:
                    assert_never(action)
    finally:
        transport.close()
        report(StepKind.CLOSED, report.phase)


async def _attempt(
    work: Callable[[], Awaitable[T]],
    deadline: float,
    done: Callable[[T], Event],
    report: Reporter,
) -> Event:
    """Await a step until a deadline; an error becomes an event, cancellation passes through."""
    with anyio.move_on_at(deadline):
        try:
            return done(await work())
        except ProvisioningError as error:
            return ExchangeFailed(error)

    late = TransportTimeoutError("no response arrived in time").locate(phase=report.phase)
    return ExchangeFailed(late, cut_short=True)


class _ActionReporter:
    """Reports the machine's actions as steps, and keeps the reporter's phase up to date."""

    def __init__(self, report: Reporter, now: float) -> None:
        self._reporter = report
        self._began = self._sent = now

    def report(self, action: Action[Any], now: float) -> None:
        """Report an action that is about to be carried out."""
        match action:
            case Send(request):
                self._sent = now
                self._report_request(request)
            case Wait():
                self._report_wait(action, now)
            case Finish(result):
                self._report_result(result, took=now - self._began)
            case Fail(error):
                took = now - self._began
                self._reporter(
                    StepKind.FAILED, error.phase, took=took, text=error.message, error=error
                )
            case Connect() | Reauthenticate():
                pass
            case _:
                assert_never(action)

    def reauthenticated(self, way: str) -> Event:
        """Report another way to authenticate."""
        self._reporter(StepKind.REAUTHENTICATED, self._reporter.phase, text=way)
        return Reauthenticated()

    def _report_request(self, request: Request) -> None:
        match request:
            case Register():
                kind, phase = StepKind.REGISTERING, Phase.REGISTER
            case QueryStatus():
                kind, phase = StepKind.POLLING, Phase.POLL
            case LookUpStatus():
                kind, phase = StepKind.LOOKING_UP, Phase.POLL
            case _:
                assert_never(request)

        self._reporter.phase = phase
        self._reporter(kind, phase)

    def _report_result(self, result: object, *, took: float) -> None:
        phase = self._reporter.phase
        match result:
            case RegistrationRecord(status=status):
                self._reporter(StepKind.FOUND, phase, took=took, text=status.value)
            case _:
                self._reporter(StepKind.ASSIGNED, phase, took=took)

    def _report_wait(self, action: Wait, now: float) -> None:
        report, requested = self._reporter, action.requested
        wait = max(action.until - now, 0.0)
        match action:
            case Wait(error=ProvisioningError() as error):
                report(
                    StepKind.RETRYING,
                    error.phase,
                    wait=wait,
                    requested=requested,
                    text=error.message,
                    error=error,
                )
            case _:
                accepted = action.reason is WaitReason.ACCEPTED
                kind = StepKind.ACCEPTED if accepted else StepKind.ASSIGNING
                report(kind, report.phase, took=now - self._sent)
                report(StepKind.WAITING, Phase.WAIT, wait=wait, requested=requested)

        report.phase = Phase.WAIT
