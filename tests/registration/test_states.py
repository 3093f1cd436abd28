"""The table is whole, and everything that is made from it is fresh."""

from __future__ import annotations

from typing import get_args

import pytest

from aiodps.registration.events import Event, Started
from aiodps.registration.states import TRANSITIONS, IllegalEventError, State, check_event


def test_every_state_has_a_row() -> None:
    """No state is left out, and every state but the first can be reached."""
    reached = {
        state for row in TRANSITIONS.values() for states in row.values() for state in states
    }

    assert set(TRANSITIONS) == set(State)
    assert reached == set(State) - {State.IDLE}


def test_final_is_final() -> None:
    """Nothing can happen in a final state."""
    assert not any(TRANSITIONS[state] for state in (State.ASSIGNED, State.FOUND, State.FAILED))


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("event", get_args(Event), ids=lambda event: event.__name__)
def test_the_table_decides(state: State, event: type[Event]) -> None:
    """An event that is not in the table is refused by a message that names what is."""
    instance = event.__new__(event)
    if event in TRANSITIONS[state]:
        check_event(state, instance)
        return

    with pytest.raises(IllegalEventError, match=f"in state {state.value}; allowed: "):
        check_event(state, instance)


def test_message() -> None:
    """The message names the event, the state, and what could have happened."""
    assert str(IllegalEventError(State.FAILED, Started())) == (
        "Started cannot happen in state failed; allowed: nothing"
    )
