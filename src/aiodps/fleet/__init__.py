"""Many devices from register to assigned, and how long each took."""

from __future__ import annotations

from aiodps.fleet.sample import Outcome, Sample, read_samples, write_samples

__all__ = ["Outcome", "Sample", "read_samples", "write_samples"]
