"""The registration as a table: which state follows which event.

Two rules
---------
1. Everything about *order* is in `TRANSITIONS`. The machine (`machine.py`) checks each event
   against it before it does anything; an event that is not there changes nothing.
2. Nothing here or in the machine does input or output, reads a clock or draws a random number.
   Time is an argument; jitter is a pure function of a seed, the registration id and a count.

Theory of operation
-------------------
A registration never has more than one thing outstanding: a connection being made, a request on
its way, or a wait. So the machine is a Mealy machine: one event in, exactly one action out, and
the driver carries that action out and comes back with the next event. There is no queue to
flush and nothing to forget.

The way of a good day: IDLE, CONNECTING, REGISTERING (the service answers 202 with an operation
id), WAITING as long as the service asked, CONNECTING (which finds the connection still there),
POLLING, and ASSIGNED.

- *Connecting is a state of its own.* Requests are sent only over a connection that is known to
  stand, so a transport may be chosen by racing connections and still send one register.
- *Registers are billed, polls are free.* Once an operation id is known, everything that goes
  wrong is mended by polling again. A register is sent again in two cases only: no operation id
  ever arrived, or the service says it has forgotten the operation (404), and that once.
- *Retry-After is a floor.* It holds on the first 202 too; absent is not zero. If it does not
  fit before the deadline, the registration ends at once instead of waiting in vain.
- *Two deadlines, one inside the other*: each request has its own, and none of them, nor any
  wait, reaches past the deadline of the whole.
- *Final is final.* An answer that decides is taken even if it comes late, and nothing after it
  changes the outcome.

The diagram in the documentation and the walk of the tests are both made from this table: change
it and both follow, or fail.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from aiodps.registration.events import (
    Connected,
    Event,
    ExchangeFailed,
    ResponseReceived,
    Started,
    WaitElapsed,
)


class State(enum.Enum):
    """Where a registration is."""

    IDLE = "idle"
    """Nothing has happened yet."""
    CONNECTING = "connecting"
    """The transport is making sure that there is a connection."""
    REGISTERING = "registering"
    """A register request is on its way."""
    POLLING = "polling"
    """A status query is on its way."""
    WAITING = "waiting"
    """Waiting, as the service asked or before trying again."""
    ASSIGNED = "assigned"
    """Final: there is an assignment."""
    FAILED = "failed"
    """Final: there is an error."""


_ANSWERED = frozenset({State.WAITING, State.ASSIGNED, State.FAILED})
_BROKEN = frozenset({State.WAITING, State.FAILED})

TRANSITIONS: Mapping[State, Mapping[type[Event], frozenset[State]]] = {
    State.IDLE: {
        Started: frozenset({State.CONNECTING}),
    },
    State.CONNECTING: {
        Connected: frozenset({State.REGISTERING, State.POLLING, State.FAILED}),
        ExchangeFailed: _BROKEN,
    },
    State.REGISTERING: {
        ResponseReceived: _ANSWERED,
        ExchangeFailed: _BROKEN,
    },
    State.POLLING: {
        ResponseReceived: _ANSWERED,
        ExchangeFailed: _BROKEN,
    },
    State.WAITING: {
        WaitElapsed: frozenset({State.CONNECTING, State.FAILED}),
    },
    State.ASSIGNED: {},
    State.FAILED: {},
}


class IllegalEventError(RuntimeError):
    """An event came that the table does not allow: a bug in whoever drives the machine."""

    def __init__(self, state: State, event: Event) -> None:
        allowed = ", ".join(sorted(kind.__name__ for kind in TRANSITIONS[state])) or "nothing"
        super().__init__(
            f"{type(event).__name__} cannot happen in state {state.value}; allowed: {allowed}"
        )


def check_event(state: State, event: Event) -> None:
    """Make sure that the table allows an event.

    Raises:
        IllegalEventError: If it does not.
    """
    if type(event) not in TRANSITIONS[state]:
        raise IllegalEventError(state, event)
