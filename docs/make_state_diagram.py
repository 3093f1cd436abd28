"""Write `docs/states.md` from the machine's table: `python docs/make_state_diagram.py`."""

from __future__ import annotations

from pathlib import Path

from aiodps.registration import states
from aiodps.registration.states import TRANSITIONS, State

PAGE = Path(__file__).with_name("states.md")

WORDS = {
    "Started": "started",
    "Connected": "connected",
    "ResponseReceived": "answered",
    "ExchangeFailed": "no answer",
    "WaitElapsed": "wait over",
}


def page() -> str:
    """Return the page as it should be."""
    edges: dict[tuple[State, State], list[str]] = {}
    for before, row in TRANSITIONS.items():
        for event, afters in row.items():
            for after in sorted(afters, key=lambda state: state.value):
                edges.setdefault((before, after), []).append(WORDS[event.__name__])

    lines = [
        f"    {before.name} --> {after.name} : {' / '.join(words)}"
        for (before, after), words in edges.items()
    ]
    final = [f"    {state.name} --> [*]" for state, row in TRANSITIONS.items() if not row]
    theory = (states.__doc__ or "").partition("Theory of operation\n-------------------\n")[2]
    return "\n".join(
        [
            "# The registration as a state machine",
            "",
            "<!-- Made by docs/make_state_diagram.py from registration/states.py. -->",
            "",
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {State.IDLE.name}",
            *lines,
            *final,
            "```",
            "",
            theory.strip(),
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
