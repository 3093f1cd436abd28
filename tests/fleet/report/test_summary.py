"""A summary says what the samples say, and can be read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fleet.samples import sample, sessions_of

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.summary import (
    SCHEMA_VERSION,
    Facts,
    pick,
    read_summary,
    summarize,
    write_summary,
)

FACTS = Facts(
    command="aiodps fleet run --devices 4",
    seed=7,
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    arrivals="open, 10/s",
    environment={"python": "3.11.7"},
    sessions=sessions_of(GeneratorLoad()),
)


def failed(code: int | None, at: float, **changes: object) -> Sample:
    """Make a failure."""
    return sample(
        outcome=Outcome.FAILED,
        finished=at,
        error_class="UnauthorizedError",
        error_code=code,
        tracking_id=f"t-{at:g}",
        error_message="no",
        assigned_hub=None,
        device_id=None,
        **changes,
    )


def test_outcomes_add_up() -> None:
    """Devices are assigned, failed or interrupted, each by transport; nothing is left out."""
    summary = summarize(
        [
            sample(),
            sample(register_requests=2, throttled=1, retries=1),
            failed(401002, 2.0),
            sample(outcome=Outcome.INTERRUPTED),
            sample(transport="mqtt", polls=3),
        ],
        FACTS,
    )
    rest, mqtt = summary["transports"]["rest"], summary["transports"]["mqtt"]

    assert [rest[name] for name in ("devices", "assigned", "failed", "interrupted")] == [
        4,
        2,
        1,
        1,
    ]
    assert [rest[name] for name in ("register_requests", "polls", "throttled", "retries")] == [
        5,
        4,
        1,
        1,
    ]
    assert [mqtt[name] for name in ("devices", "assigned", "polls")] == [1, 1, 3]


def test_latency_counts_from_the_intended_start() -> None:
    """A device that began late was late for whoever waited for it; a failure has no latency."""
    samples = [sample(intended=0.0, started=float(n), finished=n + 1.0) for n in range(4)]
    rest = summarize([*samples, failed(None, 99.0)], FACTS)["transports"]["rest"]

    assert (rest["latency"]["p50"], rest["latency"]["max"]) == (2.0, 4.0)
    assert (rest["service_time"]["p50"], rest["service_time"]["max"]) == (1.0, 1.0)
    assert rest["waited"]["start_lag"]["max"] == 3.0


def test_time_is_accounted_for() -> None:
    """Phases, backoff, start lag and the rest add up to the latency, in the mean."""
    samples = [
        sample(backoff=0.1),
        sample(phases={"session": 0.5}, intended=0.1, started=0.2, finished=3.0),
    ]
    rest = summarize(samples, FACTS)["transports"]["rest"]
    phases = sum(phase["mean"] for phase in rest["phases"].values())
    waited = sum(rest["waited"][name]["mean"] for name in ("backoff", "start_lag", "other"))

    assert list(rest["phases"]) == ["tcp", "tls", "session", "register", "poll", "wait"]
    assert phases + waited == pytest.approx(rest["latency"]["mean"])
    assert rest["waited"]["requested"] == rest["phases"]["wait"]


def test_rates() -> None:
    """Offered is what was intended, achieved what was assigned; a burst offers no rate."""
    samples = [sample(intended=n / 10, started=n / 10, finished=n / 10 + 0.75) for n in range(11)]
    rest = summarize(samples, FACTS)["transports"]["rest"]
    burst = summarize([sample(), sample()], FACTS)["transports"]["rest"]

    assert rest["offered_rate"] == pytest.approx(10.0)
    assert rest["achieved_rate"] == pytest.approx(10.0)
    assert rest["drain_time"] == pytest.approx(0.75)
    assert (burst["offered_rate"], burst["achieved_rate"]) == (None, 2.0)
    assert burst["drain_time"] == 1.0


def achieved(latencies: Sequence[float], *, rate: float) -> float:
    """Return what a run with these latencies achieved."""
    samples = [
        sample(intended=n / rate, started=n / rate, finished=n / rate + latency)
        for n, latency in enumerate(latencies)
    ]
    found: float = summarize(samples, FACTS)["transports"]["rest"]["achieved_rate"]
    return found


def test_the_tail_is_not_part_of_what_is_achieved() -> None:
    """A service that keeps up achieves what is offered, however long it asks to wait."""
    assert achieved([7.0] * 300, rate=40) == pytest.approx(40, rel=0.01)
    assert achieved([0.5] * 299 + [90.0], rate=40) == pytest.approx(40, rel=0.01)
    # Twenty a second are served of forty: who comes later queues for longer.
    assert achieved([n / 40 for n in range(300)], rate=40) == pytest.approx(20, rel=0.01)


def test_what_closed_arrivals_achieve() -> None:
    """Ten at a time, a second each: ten a second, although the last ones end after all starts."""
    samples = [
        sample(intended=n // 10, started=n // 10, finished=n // 10 + 1 + (n % 10 - 4.5) / 100)
        for n in range(200)
    ]
    rest = summarize(samples, FACTS)["transports"]["rest"]

    assert rest["achieved_rate"] == pytest.approx(10, rel=0.03)


def test_those_that_were_never_assigned() -> None:
    """They are in the percentiles of all that began, and failures have their own distribution."""
    samples = [
        *(sample(registration_id=f"dev-{n}", finished=1.0 + n / 128) for n in range(96)),
        failed(401002, 6.0),
        failed(401002, 8.0),
        *[sample(outcome=Outcome.INTERRUPTED)] * 2,
    ]
    rest = summarize(samples, FACTS)["transports"]["rest"]

    assert rest["latency"]["p99"] == 1.0 + 95 / 128
    assert rest["latency_of_all"] == {
        "count": 100, "never": 4,
        **{f"p{percent}": 1.0 + (percent - 1) / 128 for percent in (50, 75, 90, 95)},
        "p99": None, "p99.9": None, "unsupported": ["p99.9"],
    }  # fmt: skip
    assert (rest["time_to_failure"]["p50"], rest["time_to_failure"]["max"]) == (6.0, 8.0)
    assert rest["latency"]["unsupported"] == ["p99", "p99.9"]


def test_devices_per_hub() -> None:
    """The hub with the most devices first; who has none is not counted."""
    hubs = ["b.net", "a.net", "a.net"]
    samples = [failed(None, 1.0), *(sample(assigned_hub=hub) for hub in hubs)]

    assert summarize(samples, FACTS)["transports"]["rest"]["hubs"] == {"a.net": 2, "b.net": 1}


def test_errors_by_class_and_code() -> None:
    """Each kind once, the most frequent first, with first and last time and one example."""
    errors = summarize(
        [failed(401002, 5.0), failed(429001, 1.0), failed(401002, 3.0), sample()], FACTS
    )["errors"]

    assert [(one["code"], one["count"], one["share"]) for one in errors] == [
        (401002, 2, 0.5),
        (429001, 1, 0.25),
    ]
    assert (errors[0]["first_seen"], errors[0]["last_seen"]) == (3.0, 5.0)
    assert errors[0]["example"] == {
        "registration_id": "dev-1",
        "transport": "rest",
        "tracking_id": "t-3",
        "message": "no",
    }


def test_nothing_was_done() -> None:
    """A run without samples, or without an assigned device, still has a summary."""
    assert summarize([], FACTS)["transports"] == {}
    rest = summarize([failed(None, 1.0)], FACTS)["transports"]["rest"]

    assert (rest["latency"], rest["phases"], rest["waited"]["other"]) == (None, {}, None)


def test_it_can_be_read_again(tmp_path: Path) -> None:
    """What is written is read; facts are on board."""
    summary = summarize([sample()], FACTS)
    write_summary(tmp_path / "summary.json", summary)

    assert read_summary(tmp_path / "summary.json") == summary
    assert summary["started_at"] == "2026-01-02T03:04:05+00:00"
    assert summary["generator"]["limited"] is False
    assert (summary["seed"], summary["environment"]) == (7, {"python": "3.11.7"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "7",
        *(json.dumps({"schema_version": SCHEMA_VERSION + more}) for more in (-1, 1)),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    """What is no summary, or of another version, is refused by name."""
    path = tmp_path / "summary.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=r"summary\.json"):
        read_summary(path)


def test_no_file(tmp_path: Path) -> None:
    """A folder without a summary is bad input, not a traceback."""
    with pytest.raises(ConfigurationError, match=r"summary\.json does not exist"):
        read_summary(tmp_path / "summary.json")


def test_paths() -> None:
    """A path leads to a figure, or to None where there is none."""
    summary = summarize([sample()], FACTS)

    assert pick(summary, "transports/rest/latency/p99.9") == 1.0
    assert pick(summary, "transports/rest/phases/session/mean") is None
    assert pick(summarize([failed(None, 1.0)], FACTS), "transports/rest/latency/p50") is None
