"""Thresholds say what a run must not be, and are read before anything is sent."""

from __future__ import annotations

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.report.summary import Summary, summarize
from aiodps.fleet.report.thresholds import missed, parse


@pytest.fixture
def summary() -> Summary:
    """Return a run of 100 devices by REST, one of which failed, and one slow device by MQTT."""
    samples = [
        *(sample(finished=n / 10, polls=2) for n in range(1, 100)),
        sample(outcome=Outcome.FAILED, polls=2),
        sample(transport="mqtt", finished=20.0),
    ]
    return {**summarize(samples, FACTS), "generator": {"start_lag_p99": 0.3}}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("p99>5s", ["p99>5s: mqtt has 20s", "p99>5s: rest has 9.9s"]),
        ("rest.p50>=5000ms", ["rest.p50>=5000ms: rest has 5000ms"]),
        ("rest.p50>5s", []),
        ("p99.9 > 15 s", ["p99.9 > 15 s: mqtt has 20s"]),
        ("mqtt.max>0.3m", ["mqtt.max>0.3m: mqtt has 0.3333m"]),
        ("rest.mean<5.1s", ["rest.mean<5.1s: rest has 5s"]),
        ("errors>0.5%", ["errors>0.5%: rest has 1%"]),
        ("errors>1%", []),
        ("errors>0,rest.polls>=2", ["errors>0: rest has 1", "rest.polls>=2: rest has 2"]),
        ("mqtt.rate<1/s", ["mqtt.rate<1/s: mqtt has 0.05/s"]),
        ("register_requests>1", []),
        ("start_lag>250ms", ["start_lag>250ms: the generator has 300ms"]),
        ("loop_lag>0ms", []),
    ],
)
def test_what_is_missed(summary: Summary, text: str, lines: list[str]) -> None:
    """Each condition that came true is said, with the figure and where."""
    assert sorted(missed(parse(text), summary)) == sorted(lines)


def test_nothing_assigned_is_not_fast() -> None:
    """A run in which every device failed misses every latency threshold."""
    summary = summarize([sample(outcome=Outcome.FAILED)], FACTS)

    assert missed(parse("p50>1m"), summary) == ["p50>1m: rest assigned no device"]


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "p99", "p99>", "p99>5", "p98>5s", "p99=5s", "p99>5s,", "errors>1s", "rate<5%"),
        *("polls>2%", "p99>-1s", "p99>1e3s", "start_lag>3", "P99>5s", "p99>٥s", "p99>5s;x"),
        "mqtt-ws.p99>5s",
    ],
)
def test_invalid_conditions_are_refused(text: str) -> None:
    """What cannot be read is shown, with a hint, before anything is done."""
    with pytest.raises(ConfigurationError, match="is not a valid threshold") as refused:
        parse(text)

    assert refused.value.setting == "fail_if"


def test_a_transport_that_does_not_run() -> None:
    """A threshold for a transport that is not used is a mistake, not a pass."""
    with pytest.raises(ConfigurationError, match="is not a valid threshold"):
        parse("mqtt.p99>5s", transports=("rest",))
