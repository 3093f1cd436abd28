"""Thresholds say what a run must not be, and are read before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.report.summary import Summary, summarize
from aiodps.fleet.report.thresholds import Result, evaluate, missed, parse

SAMPLES = [
    *(sample(finished=n / 10, polls=2) for n in range(1, 100)),
    sample(outcome=Outcome.FAILED, polls=2),
    sample(transport="mqtt", finished=20.0),
]
"""A run of 100 devices by REST, one of which failed, and one slow device by MQTT."""
QUIET = {"limited": False, "why": [], "start_lag_p99": 0.3, "loop_lag_p99": 0.0}


def summary_of(samples: list[Sample], **changes: Any) -> Summary:
    """Summarize a run whose generator kept up, and which passed."""
    states = {"planned": 3, "assigned": 96, "failed": 1}
    verdict = {"kind": "good", "lead": "Passed", "sentence": "1 device_ got one."}
    known = {"generator": QUIET, "states": states, "verdict": verdict}
    return {**summarize(samples, FACTS), **known, **changes}


def results(
    fail_if: str, *, samples: list[Sample] = SAMPLES, allow_limited: bool = False, **changes: Any
) -> list[Result]:
    """Evaluate the conditions on a run."""
    return evaluate(
        Evaluation(fail_if=fail_if, allow_limited=allow_limited),
        summary_of(samples, **changes),
        samples,
        transports=("mqtt", "rest"),
    )


def told(found: list[Result]) -> list[tuple[str, str, Any]]:
    """List what was missed, of what, and the value or the reason."""
    return [
        (one.threshold, one.of, one.reason if one.value is None else pytest.approx(one.value))
        for one in found
        if not one.passed
    ]


@pytest.mark.parametrize(
    ("text", "misses"),
    [
        ("p99>5s", [("p99>5s", "mqtt", 20), ("p99>5s", "rest", 9.9)]),
        ("rest.p50>=5000ms", [("rest.p50>=5000ms", "rest", 5)]),
        ("rest.p50>5s", []),
        ("p99.9 > 15 s", [("p99.9 > 15 s", "mqtt", 20)]),
        ("mqtt.max>0.3m", [("mqtt.max>0.3m", "mqtt", 20)]),
        ("rest.mean<5.1s", [("rest.mean<5.1s", "rest", 5)]),
        ("errors>0.5%", [("errors>0.5%", "rest", 0.01)]),
        ("errors>1%", []),
        ("errors>0,rest.polls>=2", [("errors>0", "rest", 1), ("rest.polls>=2", "rest", 2)]),
        ("mqtt.rate<1/s", [("mqtt.rate<1/s", "mqtt", 0.05)]),
        ("register_requests>1", []),
        ("start_lag>250ms", [("start_lag>250ms", "the generator", 0.3)]),
        ("loop_lag>0ms", []),
        ("rest.within(5s)<50%", []),
        ("rest.within(5 s)<=50%", [("rest.within(5 s)<=50%", "rest", 0.5)]),
        ("within(9900ms)<99%", [("within(9900ms)<99%", "mqtt", 0)]),
        ("rest.within(0.5m)<100%", [("rest.within(0.5m)<100%", "rest", 0.99)]),
    ],
)
def test_what_is_missed(text: str, misses: list[tuple[str, str, float]]) -> None:
    """Each condition that came true is said, with the value and where; the others pass."""
    assert told(results(text)) == misses


def test_each_result_is_told() -> None:
    """Passed ones, too: with value, limit and unit; and what holds without being asked for."""
    passed = {"passed": True, "value": None, "limit": None, "unit": "", "reason": None}
    assert [
        {name: getattr(one, name) for name in ("threshold", "of", *passed)}
        for one in results("mqtt.p50>25s,rest.errors>2%,polls>3")
    ] == [
        passed | {"threshold": "mqtt.p50>25s", "of": "mqtt", "value": 20.0, "limit": 25.0, "unit": "s"},
        passed | {"threshold": "rest.errors>2%", "of": "rest", "value": 0.01, "limit": 0.02, "unit": "%"},
        passed | {"threshold": "polls>3", "of": "mqtt", "value": 1.0, "limit": 3.0},
        passed | {"threshold": "polls>3", "of": "rest", "value": 2.0, "limit": 3.0},
        passed | {"threshold": "unfinished>0", "of": "the run", "value": 0.0, "limit": 0.0},
        passed | {"threshold": "limited", "of": "the generator"},
    ]  # fmt: skip


def test_no_thresholds_no_results() -> None:
    """Nor is anything implied: who asks for nothing is told by exit code 1."""
    assert evaluate(Evaluation(), summary_of([]), [], transports=("rest",)) == []
    assert not missed(summary_of([], unfinished=7))


@pytest.mark.parametrize(
    ("text", "misses"),
    [
        ("rest.p50>1m", [("unfinished>0", "the run", 3)]),
        ("rest.p50>1m,unfinished>3", []),
        ("rest.p50>1m,unfinished>2.9%", [("unfinished>2.9%", "the run", 0.03)]),
    ],
)
def test_unfinished_devices_miss(text: str, misses: list[tuple[str, str, float]]) -> None:
    """Unless so many are allowed: the slowest may be among them."""
    assert told(results(text, unfinished=3)) == misses


LIMITED = {**QUIET, "limited": True, "why": ["event loop late", "core busy"]}
UNKNOWN: Summary = {"limited": None, "why": [], "unknown": "a session was killed"}


def test_a_limited_run_misses() -> None:
    """With why; unless it is allowed."""
    assert told(results("errors>9", generator=LIMITED)) == [
        ("limited", "the generator", "event loop late; core busy")
    ]
    assert told(results("errors>9", generator=LIMITED, allow_limited=True)) == []


def test_unknown_is_not_good() -> None:
    """A load that nobody measured misses every lag threshold, and counts as limited."""
    text = "start_lag>1m,loop_lag<0s"
    reason = "the load of the generator is not known"
    lags = [(each, "the generator", reason) for each in text.split(",")]
    limited = ("limited", "the generator", "a session was killed")

    assert told(results(text, generator=UNKNOWN)) == [*lags, limited]
    assert told(results(text, generator=UNKNOWN, allow_limited=True)) == lags


def test_absent_figures_miss() -> None:
    """A run in which every device failed is not a fast one, nor is one in which none began."""
    failed = [sample(outcome=Outcome.FAILED)]

    assert told(results("p50>1m", samples=failed)) == [
        ("p50>1m", "mqtt", "no device was assigned"),
        ("p50>1m", "rest", "no device was assigned"),
    ]
    assert told(results("errors>9,rest.within(1s)<1%", samples=[])) == [
        ("errors>9", "mqtt", "no device started"),
        ("errors>9", "rest", "no device started"),
        ("rest.within(1s)<1%", "rest", "no device started"),
    ]


def test_failures_and_interrupted_ones_are_never_within() -> None:
    """The share is of all that began."""
    ended = [sample(finished=1.0), *(sample(finished=1.0, outcome=each) for each in Outcome)]

    assert results("rest.within(2s)<99%", samples=ended)[0].value == 0.5


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "p99", "p99>", "p99>5", "p98>5s", "p99=5s", "p99>5s,", "errors>1s", "rate<5%"),
        *("polls>2%", "p99>-1s", "p99>1e3s", "start_lag>3", "P99>5s", "p99>٥s", "p99>5s;x"),
        *("amqp.p99>5s", "within<99%", "within()<99%", "within(5)<99%", "within(5s)<0.99"),
        *("p99(5s)>5s", "within(5%)<9%", "rest.unfinished>0", "mqtt.loop_lag>1s", "limited"),
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
