"""Many devices from register to assigned, and how long each took."""

from __future__ import annotations

from aiodps.fleet.arrivals import Burst, Closed, Open
from aiodps.fleet.devices import Device
from aiodps.fleet.fleet import Fleet
from aiodps.fleet.gauge import Standing
from aiodps.fleet.listed import Issuer, Listed
from aiodps.fleet.results import Results
from aiodps.fleet.sample import Outcome, Sample, read_samples, write_samples
from aiodps.fleet.session import SessionEnd
from aiodps.fleet.shard import run_shard
from aiodps.fleet.spec import Plan, Service, ShardSpec

__all__ = [
    "Burst",
    "Closed",
    "Device",
    "Fleet",
    "Issuer",
    "Listed",
    "Open",
    "Outcome",
    "Plan",
    "Results",
    "Sample",
    "Service",
    "SessionEnd",
    "ShardSpec",
    "Standing",
    "read_samples",
    "run_shard",
    "write_samples",
]
