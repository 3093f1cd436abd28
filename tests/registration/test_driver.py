"""The driver carries out what the machine says, on both event loops, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
import trio.testing
from tests.registration.talk import assigned, assigning, plan, refused

from aiodps import errors
from aiodps.models import Phase
from aiodps.observe import Reporter, Step, StepKind
from aiodps.protocol.messages import QueryStatus, Register, Request, Response
from aiodps.registration.driver import drive
from aiodps.registration.events import ResponseReceived
from aiodps.registration.machine import Registration
from aiodps.registration.retry import RetryPolicy

pytestmark = pytest.mark.anyio


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

    async def aclose(self) -> None:
        """Be closed; a checkpoint here would raise if the closing were not shielded."""
        await anyio.lowlevel.checkpoint()
        self.closed += 1


QUICK = RetryPolicy(min_poll_interval=0, poll_interval=0, base=0)


async def run(transport: Clockwork, steps: list[Step] | None = None, **changes: object) -> object:
    """Drive one registration."""
    observer: Callable[[Step], None] | None = steps.append if steps is not None else None
    machine = Registration(plan(retry=QUICK, **changes))
    return await drive(machine, transport, Reporter("dev-1", "rest", observer))


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


async def test_nobody_listens() -> None:
    """Without an observer nothing is told and everything works."""
    assert await run(Clockwork(assigned())) is not None


async def test_silence_is_a_timeout() -> None:
    """A peer that never answers ends the exchange, and at the deadline the whole."""
    transport = Clockwork(anyio.sleep_forever)
    with pytest.raises(errors.ProvisioningTimeoutError) as caught:
        await run(transport, timeout=0.05)

    assert isinstance(caught.value.__cause__, errors.TransportTimeoutError)
    assert caught.value.phase is Phase.REGISTER
    assert transport.closed == 1


async def test_cancelled() -> None:
    """Cancellation passes through at once, and the transport is closed all the same."""
    transport = Clockwork(anyio.sleep_forever)
    with anyio.move_on_after(0.01) as scope:
        await run(transport)

    assert scope.cancelled_caught
    assert transport.closed == 1


def test_virtual_time() -> None:
    """The waits are the service's, exactly: in virtual time nothing is added."""
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> float:
        machine = Registration(plan())
        transport = Clockwork(assigning(30.0), assigning(7.0), assigned())
        began = anyio.current_time()
        await drive(machine, transport, Reporter("dev-1", "rest"))
        return anyio.current_time() - began

    assert trio.run(main, clock=clock) == pytest.approx(37.0)
