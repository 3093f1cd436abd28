"""Samples for tests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, Sample


def sessions_of(*loads: GeneratorLoad | None) -> tuple[SessionFacts, ...]:
    """Make a session for each load; one without was killed."""
    return tuple(
        SessionFacts(
            started=1e9, number=number, generator_load=None if load is None else asdict(load)
        )
        for number, load in enumerate(loads)
    )


def sample(**changes: Any) -> Sample:
    """Make one sample: assigned within a second unless told otherwise."""
    plain: dict[str, Any] = {
        "registration_id": "dev-1",
        "transport": "rest",
        "intended": 0.0,
        "started": 0.25,
        "finished": 1.0,
        "outcome": Outcome.ASSIGNED,
        "phases": {"tcp": 0.05, "tls": 0.2, "register": 0.1, "wait": 0.3, "poll": 0.1},
        "register_requests": 1,
        "polls": 1,
        "assigned_hub": "contoso.azure-devices.net",
        "device_id": "dev-1",
        "credential": 0,
    }
    return Sample(**plain | changes)
