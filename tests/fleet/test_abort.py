"""A run is ended only when no end of it could keep the threshold."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fleet.report.test_thresholds import summary_of, told
from tests.fleet.samples import sample

from aiodps.fleet.abort import hopeless
from aiodps.fleet.measure.progress import ProgressCounter
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.report.thresholds import evaluate, parse


def lost(text: str, ended: list[Sample], *, planned: int) -> list[str]:
    """Return what is lost after some of the devices have ended."""
    counter = ProgressCounter(total=planned)
    for one in ended:
        counter.begin(one.transport)
        counter.leave(one.transport)
        counter.end(one)

    names = sorted({one.transport for one in ended}) or ["rest"]
    return hopeless(parse(text), counter.progress(), transports=names)


SLOW = sample(finished=9.0, polls=8)
QUICK = sample(finished=1.0, polls=0)
FAILED = sample(finished=1.0, outcome=Outcome.FAILED, polls=0)


@pytest.mark.parametrize(
    ("text", "before", "last"),
    [
        ("p99>5s", [SLOW] * 10, SLOW),
        ("p99>=5s", [SLOW] * 10, SLOW),
        ("p50>5s", [SLOW] * 500, SLOW),
        ("p99.9>5s", [SLOW], SLOW),
        ("max>5s", [QUICK] * 9, SLOW),
        ("mean>90ms", [SLOW] * 10, SLOW),
        ("errors>3", [FAILED] * 3, FAILED),
        ("errors>0.3%", [FAILED] * 3, FAILED),
        ("polls>0.1", [SLOW] * 12, SLOW),
        ("within(5s)<99%", [SLOW] * 4 + [FAILED] * 6, SLOW),
        ("within(5s)<=99%", [SLOW] * 4 + [FAILED] * 5, FAILED),
    ],
)
def test_it_is_certain_with_this_device(text: str, before: list[Sample], last: Sample) -> None:
    """Of a thousand: one less, and the others could still make up for it."""
    assert lost(text, before, planned=1000) == []
    assert lost(text, [*before, last], planned=1000) == [f"{text} (rest)"]


@pytest.mark.parametrize(
    "text", ["p99<5s", "max<1m", "rate<5/s", "unfinished>0", "start_lag>0s", "within(5s)>1%"]
)
def test_what_only_the_end_tells(text: str) -> None:
    """Nothing is certain before it."""
    assert lost(text, [SLOW, FAILED], planned=1000) == []


def test_a_transport_has_its_share_of_the_devices() -> None:
    """And its own thresholds."""
    ended = [SLOW] * 6 + [sample(transport="mqtt")]

    assert lost("p99>5s", ended, planned=1000) == ["p99>5s (rest)"]
    assert lost("mqtt.p99>5s", ended, planned=1000) == []
    assert lost("p99>5s", [], planned=0) == []


LATENCIES = st.floats(0.001, 20) | st.sampled_from([4.9, 5.0, 5.1])
SAMPLES = st.lists(
    st.builds(
        lambda took, outcome, polls: sample(
            started=0.0, finished=took, outcome=outcome, polls=polls
        ),
        *(LATENCIES, st.sampled_from(Outcome), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=40,
)


@given(
    samples=SAMPLES,
    share=st.floats(0, 1),
    text=st.sampled_from(
        [
            *("p50>5s", "p90>=5s", "max>5s", "mean>5s", "errors>2", "errors>=10%", "polls>4"),
            *("within(5s)<90%", "within(5s)<=50%"),
        ]
    ),
)
@example(samples=[SLOW, QUICK], share=0.5, text="p50>5s")
@pytest.mark.slow
def test_what_is_lost_stays_lost(samples: list[Sample], share: float, text: str) -> None:
    """However the run goes on, and also if it is ended there: the threshold is missed."""
    ended = samples[: 1 + int(share * (len(samples) - 1))]
    if not lost(text, ended, planned=len(samples)):
        return

    for whole in (ended, samples):
        evaluation = Evaluation(fail_if=text)
        results = evaluate(evaluation, summary_of(whole), whole, transports=("rest",))
        assert text in {one for one, *_ in told(results)}
