"""The verdict says in one sentence what somebody who does not know the field has to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample, sessions_of

from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.summary import summarize
from aiodps.fleet.report.verdict import RunVerdict, verdict

AZURE = {"endpoint": "global.azure-devices-provisioning.net", "id_scope": "0ne00012ABC"}
QUIET = sessions_of(GeneratorLoad())
OPEN = replace(FACTS, arrivals="open, 10/s, constant", environment=AZURE, sessions=QUIET)
MISSED = {"threshold": "p99>1s", "of": "mqtt", "passed": False, "value": 2.5, "unit": "s"}
KEPT = {**MISSED, "passed": True}


def devices(count: int, *, every: float = 0.1, **changes: Any) -> list[Sample]:
    """Make devices that took 2.0 s to 2.09 s."""
    return [
        sample(
            registration_id=f"device-{n}",
            intended=n * every,
            started=n * every,
            finished=n * every + 2 + n % 10 / 100,
            **changes,
        )
        for n in range(count)
    ]


def said(samples: Sequence[Sample], facts: Any = OPEN, **changes: Any) -> RunVerdict:
    """Return the verdict of samples; `changes` are members of their summary."""
    return verdict({**summarize(samples, facts), **changes}, samples)


FAILED = [*devices(96), *devices(4, outcome=Outcome.FAILED, error_class="X", error_code=401002)]


def test_a_good_run() -> None:
    """Tried, against what, held, how long, how sure."""
    found = said(devices(300))

    assert (found.kind, found.lead) == ("good", "All went well")
    assert found.sentence == (
        "300 devices asked Azure for a hub over rest, at 10/s, and all got one; a device typically"
        " took 2.04 s (99 of 100 at most 2.09 s); as far as one run can tell, the typical time is"
        " right to within 10.3 ms."
    )
    assert found.text == f"All went well: {found.sentence}"


def test_two_transports() -> None:
    """Each has its time."""
    both = [*devices(200), *devices(200, transport="mqtt")]
    found = said(both, replace(OPEN, arrivals="all at once"))

    assert "200 devices asked Azure for a hub, each over rest and mqtt, all at once" in found.text
    assert "2.04 s over rest (99 of 100 at most 2.09 s) and 2.04 s over mqtt" in found.text


@pytest.mark.parametrize(
    ("arrivals", "words"),
    [
        ("open, 10/s, constant", "over rest, at 10/s, and"),
        ("closed, 50 at a time", "over rest, 50 at a time, and"),
        (
            "open, to 50/s in 60 s, then to 9/s in 60 s, poisson",
            "rest, at rates that changed, and",
        ),
    ],
)
def test_how_they_arrived(arrivals: str, words: str) -> None:
    """In words, without the details of the schedule."""
    assert words in said(devices(9), replace(OPEN, arrivals=arrivals)).text


@pytest.mark.parametrize(
    ("samples", "changes", "kind", "lead", "words"),
    [
        ([], {}, "warn", "Nothing was tried", "no device has started"),
        (devices(200), {"thresholds": [KEPT]}, "good", "Passed", "all got one"),
        (
            devices(200),
            {"thresholds": [MISSED, KEPT]},
            "bad",
            "Missed 1 of 2 thresholds (p99>1s of mqtt: 2.50 s)",
            "all got one",
        ),
        (
            devices(200),
            {"thresholds": [{**MISSED, "value": None}]},
            "bad",
            "Missed 1 of 1 thresholds (p99>1s of mqtt)",
            "all got one",
        ),
        (FAILED, {}, "bad", "4 of 100 devices failed", "96 got one and 4 failed (X 401002)"),
        (
            FAILED,
            {"thresholds": [KEPT]},
            "warn",
            "4 of 100 devices failed, within the thresholds",
            "96 got one",
        ),
        (
            devices(3, outcome=Outcome.FAILED),
            {},
            "bad",
            "3 of 3 devices failed",
            "none got one and 3 failed (unknown).",
        ),
        (
            devices(120),
            {"states": {"planned": 30, "sent": 2}},
            "warn",
            "Not finished",
            "120 got one and 32 had not ended",
        ),
        (devices(200, every=0.001), {}, "good", "All went well", "the run is too short to say"),
        (devices(3), {}, "good", "All went well", "(the slowest 2.02 s); so few devices say"),
        (devices(1), {}, "good", "All went well", "it got one; it took 2.00 s; so few devices"),
    ],
)
def test_other_runs(
    samples: list[Sample], changes: dict[str, Any], kind: str, lead: str, words: str
) -> None:
    """What is worst comes first, and what is not known is not claimed."""
    found = said(samples, **changes)

    assert (found.kind, found.lead) == (kind, lead)
    assert words in found.sentence


def test_the_generator_limited_it() -> None:
    """Its times are not the service's; nor is it known whether they are, if nobody measured."""
    limited = said(
        devices(200), replace(OPEN, sessions=sessions_of(GeneratorLoad(loop_lag_p99=2.0)))
    )
    unknown = said(devices(200), replace(OPEN, sessions=sessions_of(None)))

    assert {limited.lead, unknown.lead} == {"Not conclusive"}
    assert "this machine could not keep up, so that these times are not" in limited.sentence
    assert "whether this machine kept up is not known" in unknown.sentence


def test_the_service_fell_behind() -> None:
    """It was asked for more than it did; with as many at a time as ended, nobody asked."""
    slow = [replace(one, finished=3 + n / 5) for n, one in enumerate(devices(300))]
    open_loop, closed = (said(slow, replace(OPEN, arrivals=each)).sentence for each in (
        "open, 10/s, constant", "closed, 50 at a time",
    ))  # fmt: skip

    assert "the service fell behind: 10.0/s were asked for, and 5.0" in open_loop
    assert "fell behind" not in closed


def test_nothing_of_the_warm_up() -> None:
    """How exact a time is, is of the devices whose times are told."""
    slow = [replace(one, finished=one.finished + 9) for one in devices(50)]
    rest = devices(300)[50:]
    window = {"from": 5.0, "to": 30.0, "warm_up": 50, "cool_down": 0, "failed": 0}
    summary = {**summarize(rest, OPEN), "window": window}

    assert verdict(summary, [*slow, *rest]).text == verdict(summary, rest).text
