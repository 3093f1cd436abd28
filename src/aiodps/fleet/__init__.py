"""The fleet harness: provisions many devices, and measures how long each takes."""

from __future__ import annotations

from aiodps.fleet.fleet import Fleet
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.sample import Outcome, Sample, read_samples, write_samples
from aiodps.fleet.plan.arrivals import Burst, Closed, Open, Stage, Staged
from aiodps.fleet.plan.devices import Device
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.plan.manifest_devices import Issuer, ManifestDevices
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions, ShardSpec
from aiodps.fleet.report.results import Results
from aiodps.fleet.run.session import SessionEnd
from aiodps.fleet.run.shard import run_shard

__all__ = [
    "Burst",
    "Closed",
    "Device",
    "EmulatorOptions",
    "Evaluation",
    "Fleet",
    "Issuer",
    "ManifestDevices",
    "Open",
    "Outcome",
    "Progress",
    "Results",
    "RunOptions",
    "Sample",
    "SessionEnd",
    "ShardSpec",
    "Stage",
    "Staged",
    "read_samples",
    "run_shard",
    "write_samples",
]
