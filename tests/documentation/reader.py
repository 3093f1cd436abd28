"""A reader, whose environment leads programs to an emulator in place of Azure."""

from __future__ import annotations

import pytest

from aiodps import RetryPolicy
from aiodps.testing import RunningEmulator


def lead_to(dps: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the settings that all transports share, and spare a test what a reader waits for."""
    monkeypatch.setenv("AIODPS_ENDPOINT", dps.host)
    monkeypatch.setenv("AIODPS_TRUST", str(dps.ca_file))
    defaults = RetryPolicy.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "min_poll_interval", 0.0)
