"""The driver carries out what the machine says, on both event loops, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import pytest
import trio
import trio.testing
from tests.registration.talk import answer, assigned, assigning, plan, refused
from tests.virtual_time import elapse

from aiodps import errors
from aiodps.models import Phase
from aiodps.observe import Reporter, Step, StepKind
from aiodps.protocol.messages import LookUpStatus, QueryStatus, Register, Request, Response
from aiodps.registration.driver import drive
from aiodps.registration.events import ResponseReceived
from aiodps.registration.machine import Registration
from aiodps.registration.retry import RetryPolicy
from aiodps.registration.status_look_up import StatusLookUp

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Clockwork:
    """A transport without a network: answers come from a script."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.connects = 0
        self.closed = 0

    async def connect(self) -> None:
        """Be connected."""
        self.connects += 1
        await anyio.lowlevel.checkpoint()

    async def exchange(self, request: Request) -> Response:
        """Answer as the script says: an event, an error, or a function to wait in."""
        self.requests.append(request)
        line = self.script.pop(0)
        if isinstance(line, Exception):
            raise line

        if isinstance(line, ResponseReceived):
            return line.response

        assert callable(line)
        await line()
        raise AssertionError

    async def wait_until(self, when: float) -> None:
        """Wait, as every transport does."""
        await anyio.lowlevel.checkpoint()
        if (left := when - anyio.current_time()) > 0:
            await elapse(left)

    def close(self) -> None:
        """Be closed."""
        self.closed += 1


QUICK = RetryPolicy(min_poll_interval=0, poll_interval=0, base=0)


async def nothing_else(refusal: errors.UnauthorizedError) -> str:
    """Have no other way to authenticate."""
    raise refusal


async def run(transport: Clockwork, steps: list[Step] | None = None, **changes: object) -> object:
    """Drive one registration."""
    observer: Callable[[Step], None] | None = steps.append if steps is not None else None
    machine = Registration(plan(retry=QUICK, **changes))
    return await drive(machine, transport, Reporter("dev-1", "rest", observer), nothing_else)


async def test_happy_path() -> None:
    """Register, poll, assigned; every step is told, and the transport is closed."""
    steps: list[Step] = []
    transport = Clockwork(assigning(0), assigning(0), assigned())
    assignment = await run(transport, steps)

    assert vars(type(assignment))["device_id"] is not None
    assert [type(request) for request in transport.requests] == [
        Register,
        QueryStatus,
        QueryStatus,
    ]
    assert transport.connects == 3
    assert transport.closed == 1
    assert [step.kind for step in steps] == [
        StepKind.REGISTERING,
        StepKind.ACCEPTED,
        StepKind.WAITING,
        StepKind.POLLING,
        StepKind.ASSIGNING,
        StepKind.WAITING,
        StepKind.POLLING,
        StepKind.ASSIGNED,
        StepKind.CLOSED,
    ]


async def test_look_up() -> None:
    """One request, a record, and its status in the last step."""
    steps: list[Step] = []
    transport = Clockwork(answer(200, status="failed"))
    report = Reporter("dev-1", "rest", steps.append)
    record = await drive(StatusLookUp(plan()), transport, report, nothing_else)

    assert record.registration_id == "dev-1"
    assert transport.requests == [LookUpStatus()]
    assert [(step.kind, step.text) for step in steps] == [
        (StepKind.LOOKING_UP, ""),
        (StepKind.FOUND, "failed"),
        (StepKind.CLOSED, ""),
    ]


async def test_trouble_and_refusal() -> None:
    """Trouble is tried again and told; a refusal is raised, and the transport is closed."""
    steps: list[Step] = []
    transport = Clockwork(errors.ConnectionLostError("gone"), refused(401, 401002))
    with pytest.raises(errors.UnauthorizedError) as caught:
        await run(transport, steps)

    assert transport.closed == 1
    assert caught.value.attempts == 2
    kinds = [step.kind for step in steps]
    assert StepKind.RETRYING in kinds
    assert kinds[-2:] == [StepKind.FAILED, StepKind.CLOSED]


async def test_another_way_to_authenticate() -> None:
    """The connection that was refused is closed, and the next is authenticated in another way."""
    steps: list[Step] = []
    transport = Clockwork(refused(401, 401000), assigning(0), assigned())
    refusals: list[errors.UnauthorizedError] = []

    async def another(refusal: errors.UnauthorizedError) -> str:
        assert transport.closed == 0
        refusals.append(refusal)
        return "credential 1"

    report = Reporter("dev-1", "rest", steps.append)
    assert await drive(Registration(plan(retry=QUICK)), transport, report, another) is not None
    assert [each.error_code for each in refusals] == [401000]
    assert transport.closed == 2
    assert steps[1].text == "credential 1"
    assert [step.kind for step in steps][:3] == [
        StepKind.REGISTERING,
        StepKind.REAUTHENTICATED,
        StepKind.REGISTERING,
    ]


async def test_nobody_listens() -> None:
    """Without an observer nothing is told and everything works."""
    assert await run(Clockwork(assigned())) is not None


async def test_cancelled() -> None:
    """Cancellation passes through at once, and the transport is closed all the same."""
    with anyio.CancelScope() as scope:

        async def cancelled() -> None:
            scope.cancel()
            await anyio.sleep_forever()

        transport = Clockwork(cancelled)
        await run(transport)

    assert scope.cancelled_caught
    assert transport.closed == 1


def in_virtual_time(work: Callable[[], Awaitable[T]]) -> T:
    """Run something on a clock that jumps as soon as everybody waits."""
    return trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def test_silence_is_a_timeout() -> None:
    """A peer that never answers ends the exchange, and at the deadline the whole."""
    transport = Clockwork(anyio.sleep_forever)
    with pytest.raises(errors.ProvisioningTimeoutError) as caught:
        in_virtual_time(lambda: run(transport, timeout=5.0))

    assert isinstance(caught.value.__cause__, errors.TransportTimeoutError)
    assert (caught.value.phase, caught.value.elapsed) == (Phase.REGISTER, 5.0)
    assert transport.closed == 1


class Stuck(Clockwork):
    """A transport that comes as far as one phase of connecting."""

    def __init__(self, report: Reporter, phase: Phase) -> None:
        super().__init__()
        self.report = report
        self.phase = phase

    async def connect(self) -> None:
        """Never be connected."""
        self.report.phase = self.phase
        await anyio.sleep_forever()


@pytest.mark.parametrize("phase", [Phase.DNS, Phase.TCP, Phase.TLS, Phase.SESSION])
def test_a_deadline_ends_the_phase_it_falls_into(phase: Phase) -> None:
    """R01: the error, its cause and both last steps say where the silence was."""
    steps: list[Step] = []
    report = Reporter("dev-1", "mqtt", steps.append)
    with pytest.raises(errors.ProvisioningTimeoutError) as caught:
        in_virtual_time(
            lambda: drive(Registration(plan()), Stuck(report, phase), report, nothing_else)
        )

    assert caught.value.phase is phase
    assert caught.value.last_error is not None
    assert caught.value.last_error.phase is phase
    assert [(step.kind, step.phase) for step in steps] == [
        (StepKind.FAILED, phase),
        (StepKind.CLOSED, phase),
    ]


@pytest.mark.parametrize("silent", [Phase.REGISTER, Phase.POLL, Phase.WAIT])
def test_closed_says_where_the_registration_was(silent: Phase) -> None:
    """`CLOSED` has the phase that the registration was in, not that of a good end."""
    script: dict[Phase, list[object]] = {
        Phase.REGISTER: [refused(401, 401002)],
        Phase.POLL: [assigning(), refused(401, 401002)],
        Phase.WAIT: [assigning(30.0)],
    }
    steps: list[Step] = []

    async def cut_off() -> None:
        with anyio.move_on_after(20.0):
            await run(Clockwork(*script[silent]), steps)

    if silent is Phase.WAIT:
        in_virtual_time(cut_off)
    else:
        with pytest.raises(errors.UnauthorizedError):
            in_virtual_time(cut_off)

    assert (steps[-1].kind, steps[-1].phase) == (StepKind.CLOSED, silent)


def test_answers_say_how_long_they_took() -> None:
    """`ACCEPTED` since the register request, `ASSIGNING` since the query, waits apart."""

    class Slow(Clockwork):
        async def exchange(self, request: Request) -> Response:
            await elapse(2.0 if isinstance(request, Register) else 0.5)
            return await super().exchange(request)

    steps: list[Step] = []
    transport = Slow(assigning(30.0), assigning(7.0), assigned())
    in_virtual_time(lambda: run(transport, steps))

    assert {step.kind: step.took for step in steps if step.took is not None} == pytest.approx(
        {StepKind.ACCEPTED: 2.0, StepKind.ASSIGNING: 0.5, StepKind.ASSIGNED: 40.0}
    )


def test_assigned_at_once_is_of_the_register_request() -> None:
    """There is no poll where the service decides at once."""
    steps: list[Step] = []
    in_virtual_time(lambda: run(Clockwork(assigned()), steps))

    assert {step.phase for step in steps} == {Phase.REGISTER}


def test_virtual_time() -> None:
    """The waits are the service's, exactly: in virtual time nothing is added."""

    async def main() -> float:
        machine = Registration(plan())
        transport = Clockwork(assigning(30.0), assigning(7.0), assigned())
        began = anyio.current_time()
        await drive(machine, transport, Reporter("dev-1", "rest"), nothing_else)
        return anyio.current_time() - began

    assert in_virtual_time(main) == pytest.approx(37.0)
