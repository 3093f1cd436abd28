"""`Evaluation`: which devices the figures of a run are about, and which figures it must keep."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How the results of a run are evaluated; it does not change how the run goes.

    Kept in `run.json`, so that every report of the run says the same.
    """

    warm_up: float = 0.0
    """Seconds at the start of the run; devices that should have started in them are left out of
    the figures."""
    cool_down: float = 0.0
    """The same before the last device should have started."""
    fail_if: str | None = None
    """Thresholds, see `aiodps.fleet.report.thresholds`; None for none."""
    allow_limited: bool = False
    """Whether a run that its generator limited may pass."""
    abort_on_fail: bool = False
    """Whether the run ends as soon as a threshold cannot be kept any more, whatever the remaining
    devices do; see `aiodps.fleet.abort`."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        for name in ("warm_up", "cool_down"):
            if not 0 <= getattr(self, name) < math.inf:
                raise unusable(name, getattr(self, name), "a number of seconds, 0 or more")

        if self.abort_on_fail and (self.warm_up or self.cool_down):
            raise ConfigurationError(
                "which devices count is known at the end only, with a warm-up or a cool-down",
                setting="abort_on_fail",
                hint="leave out --abort-on-fail, or --warm-up and --cool-down",
            )

        if not isinstance(self.fail_if, str | None):
            raise unusable("fail_if", self.fail_if, "conditions such as 'p99>5s'")

        if self.fail_if is None and (self.allow_limited or self.abort_on_fail):
            given = "allow_limited" if self.allow_limited else "abort_on_fail"
            raise unusable(given, True, "thresholds with --fail-if, too")
