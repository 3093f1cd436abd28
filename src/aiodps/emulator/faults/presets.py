"""Built-in fault plans, written as fault files."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiodps.emulator.faults.plan import Plan

HARSH: Final = """\
# Faults that every client must cope with.

[[rule]]
name = "harsh: throttled"
share = 0.15
status = 429
error_code = 429001
message = "Too many requests."
retry_after = 1

[[rule]]
name = "harsh: busy"
operation = ["operation status", "lookup"]
assigning = [0, 3]

[[rule]]
name = "harsh: slow"
share = 0.3
delay = [0.0, 0.25]

[[rule]]
name = "harsh: twice"
transport = ["mqtt", "mqtt-ws"]
share = 0.3
duplicate = 1

[[rule]]
name = "harsh: out of order"
transport = ["mqtt", "mqtt-ws"]
share = 0.2
reorder = "acknowledgement"

[[rule]]
name = "harsh: new members"
operation = ["register", "operation status", "lookup"]
share = 0.5
members = { futureMember = { since = "2099-01-01", flags = [1, 2] } }
"""
"""The plan of `--harsh`."""


def plan(faults: Plan | str | None, *, harsh: bool, seed: int | None) -> Plan:
    """Combine the plan of an emulator.

    Args:
        faults: A plan, or TOML as in a fault file; None for no faults.
        harsh: Append the rules of `HARSH`.
        seed: Overrides the plan's own; None to keep that.

    Raises:
        ConfigurationError: If the TOML is invalid.
    """
    own = faults if isinstance(faults, Plan) else Plan.read(faults or "")
    if harsh:
        own = own.then(Plan.read(HARSH))

    return own if seed is None else replace(own, seed=seed)
