"""Whole runs for tests of what is made from them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.fleet.samples import sample, sessions_of

from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, Sample, write_samples
from aiodps.fleet.report.summary import Facts, summarize, write_summary

COMMAND = "aiodps fleet run --emulator --devices 40 --rate 20"
NASTY = "</script><script>alert('<b>&\"</b>')</script>"
"""What a service could say to break out of a page."""


def run_folder(
    folder: Path, *, transports: tuple[str, ...] = ("rest", "mqtt"), limited: bool = False
) -> Path:
    """Write the samples and the summary of a run of forty devices by each transport."""
    samples = [_sample(name, index) for name in transports for index in range(40)]
    facts = Facts(
        command=COMMAND,
        seed=7,
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        arrivals="open, 20/s, constant",
        environment={"python": "3.11.7", "emulator": True, "note": None},
        sessions=sessions_of(
            GeneratorLoad(loop_lag_p99=0.3 if limited else 0.012, memory_max=50 * 2**20)
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_samples(folder / "samples.csv", samples)
    write_summary(folder / "summary.json", summarize(samples, facts))
    return folder


def _sample(transport: str, index: int) -> Sample:
    phases = {"tcp": 0.01, "tls": 0.02 + index / 1000, "register": 0.03, "wait": 2.0, "poll": 0.01}
    took = sum(phases.values()) + 0.005
    plain = sample(
        registration_id=f"dev-{index}",
        transport=transport,
        intended=index / 20,
        started=index / 20 + 0.002,
        finished=index / 20 + 0.002 + took,
        phases=phases if transport == "rest" else phases | {"session": 0.004},
    )
    if index != 7:
        return plain

    return sample(
        registration_id="dev-7",
        transport=transport,
        intended=0.35,
        started=0.35,
        finished=0.5,
        outcome=Outcome.FAILED,
        error_class="UnauthorizedError",
        error_code=401002,
        tracking_id="t-1",
        error_message=NASTY,
        assigned_hub=None,
        device_id=None,
    )
