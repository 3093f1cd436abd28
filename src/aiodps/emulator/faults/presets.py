"""Plans that come with the emulator, in the words of any fault file."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiodps.emulator.faults.plan import Plan

HARSH: Final = """\
# The service on a bad day: nothing that a client may not have to live with.

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
"""What `--harsh` means."""


def plan(faults: Plan | str | None, *, harsh: bool, seed: int | None) -> Plan:
    """Make the plan of an emulator.

    Args:
        faults: A plan, or TOML as in a fault file; None for no faults.
        harsh: Whether the rules of `HARSH` come after them.
        seed: In place of the plan's own; None to leave that.

    Raises:
        ConfigurationError: If the TOML makes no sense.
    """
    own = faults if isinstance(faults, Plan) else Plan.read(faults or "")
    if harsh:
        own = own.then(Plan.read(HARSH))

    return own if seed is None else replace(own, seed=seed)
