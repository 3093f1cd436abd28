"""The transition table of the registration: which state follows which event.

Two rules
---------
1. `TRANSITIONS` decides every question of *order*. A machine (`retrying.py`) checks each event
   against it before it does anything; an event that is not allowed changes nothing.
2. Neither this module nor the machine does any input or output, reads a clock, or draws a random
   number. Time is an argument; jitter is a pure function of seed, registration id and attempt.

Theory of operation
-------------------
At most one thing is outstanding in a registration: opening a connection, a request, or a wait.
Therefore this is a Mealy machine: one event in, exactly one action out. The driver carries out
the action and returns with the next event. There is no queue to drain, so none can be forgotten.

When nothing goes wrong, the states are IDLE, CONNECTING, REGISTERING (the service responds 202
with an operation id), WAITING for as long as the service asked, CONNECTING (the connection is
still open), POLLING, and ASSIGNED.

- *Connecting is a state of its own.* A request is sent only over a connection that is known to be
  open, so a transport may race several connections and still send a single register request.
- *Register requests are billed, status queries are free.* Once an operation id is known, every
  failure is followed by another status query. A register request is sent again in two cases only:
  no operation id ever arrived, or the service has forgotten the operation (404), and then once.
- *A refused credential is not a failure yet.* The device may have another way to authenticate,
  such as a new token for the service's clock. The machine asks, and only if there is none, the
  refusal is the result.
- *Retry-After is a minimum.* It applies to the first 202 as well; absent does not mean zero. If
  the wait would end after the deadline, the registration fails at once instead of waiting.
- *Deadlines are nested.* Each request has its own, and no request and no wait extends past the
  deadline of the registration.
- *A look-up is a single request.* It has a machine of its own (`status_look_up.py`), which shares
  connecting, retries, reauthentication and deadline (`retrying.py`), and this table.
- *Final states are final.* A response that decides the registration counts even if it arrives
  late, and nothing after it changes the outcome.

The diagram in the documentation and the test that visits every transition are both generated
from this table: change the table, and both follow or fail.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from aiodps.registration.events import (
    Connected,
    Event,
    ExchangeFailed,
    Reauthenticated,
    ResponseReceived,
    Started,
    WaitElapsed,
)


class State(enum.StrEnum):
    """The state of a registration."""

    IDLE = "idle"
    """Not started yet."""
    CONNECTING = "connecting"
    """The transport makes sure that a connection is open."""
    REGISTERING = "registering"
    """A register request is outstanding."""
    POLLING = "polling"
    """A status query is outstanding."""
    REAUTHENTICATING = "reauthenticating"
    """The service refused the credential; another way to authenticate is being prepared."""
    LOOKING_UP = "looking up"
    """A look-up is outstanding."""
    WAITING = "waiting"
    """Waiting, as the service asked or before a retry."""
    ASSIGNED = "assigned"
    """Final: the device is assigned."""
    FOUND = "found"
    """Final: the look-up was answered with the registration record."""
    FAILED = "failed"
    """Final: the registration, or the look-up, failed."""


_AFTER_RESPONSE = frozenset({State.WAITING, State.REAUTHENTICATING, State.ASSIGNED, State.FAILED})
_AFTER_LOOK_UP = frozenset({State.WAITING, State.REAUTHENTICATING, State.FOUND, State.FAILED})
_AFTER_FAILURE = frozenset({State.WAITING, State.REAUTHENTICATING, State.FAILED})

TRANSITIONS: Mapping[State, Mapping[type[Event], frozenset[State]]] = {
    State.IDLE: {
        Started: frozenset({State.CONNECTING}),
    },
    State.CONNECTING: {
        Connected: frozenset(
            {State.REGISTERING, State.POLLING, State.LOOKING_UP, State.FAILED},
        ),
        ExchangeFailed: _AFTER_FAILURE,
    },
    State.REGISTERING: {
        ResponseReceived: _AFTER_RESPONSE,
        ExchangeFailed: _AFTER_FAILURE,
    },
    State.POLLING: {
        ResponseReceived: _AFTER_RESPONSE,
        ExchangeFailed: _AFTER_FAILURE,
    },
    State.LOOKING_UP: {
        ResponseReceived: _AFTER_LOOK_UP,
        ExchangeFailed: _AFTER_FAILURE,
    },
    State.REAUTHENTICATING: {
        Reauthenticated: frozenset({State.CONNECTING, State.FAILED}),
        ExchangeFailed: frozenset({State.FAILED}),
    },
    State.WAITING: {
        WaitElapsed: frozenset({State.CONNECTING, State.FAILED}),
    },
    State.ASSIGNED: {},
    State.FOUND: {},
    State.FAILED: {},
}


class IllegalEventError(RuntimeError):
    """An event that the table does not allow in this state: a bug in the driver."""

    def __init__(self, state: State, event: Event) -> None:
        allowed = ", ".join(sorted(kind.__name__ for kind in TRANSITIONS[state])) or "nothing"
        super().__init__(
            f"{type(event).__name__} cannot happen in state {state.value}; allowed: {allowed}"
        )


def check_event(state: State, event: Event) -> None:
    """Raise `IllegalEventError` unless the table allows an event in a state."""
    if type(event) not in TRANSITIONS[state]:
        raise IllegalEventError(state, event)
