"""The options that are given change an evaluation, and files are written for CI."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet.ci.test_junit import RESULTS
from tests.fleet.report.test_thresholds import summary_of

from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.evaluation import Evaluation

BEFORE = Evaluation(warm_up=3, fail_if="p99>5s", allow_limited=True)


def test_what_is_not_given_stays() -> None:
    """A run keeps what it was created with."""
    given = EvaluationArguments(cool_down=2, fail_if="errors>0")

    assert EvaluationArguments().evaluation(BEFORE, transports=("rest",)) == BEFORE
    assert given.evaluation(BEFORE, transports=("rest",)) == Evaluation(
        warm_up=3, cool_down=2, fail_if="errors>0", allow_limited=True
    )


def test_they_are_taken_out_of_the_others() -> None:
    """What is left is the command's own."""
    all_ = {**dict.fromkeys(EvaluationArguments.__dataclass_fields__), "warm_up": 1.0, "rate": 5}

    assert EvaluationArguments.taken_from(all_) == EvaluationArguments(warm_up=1.0)
    assert all_ == {"rate": 5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (EvaluationArguments(fail_if="p98>5s"), "not a valid threshold"),
        (EvaluationArguments(fail_if="mqtt.p99>5s"), "not a valid threshold"),
        (EvaluationArguments(junit=Path("x.xml")), "nothing to write"),
        (EvaluationArguments(allow_limited=True), "allow_limited cannot be"),
    ],
)
def test_what_cannot_be_meant(given: EvaluationArguments, message: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match=message):
        given.evaluation(Evaluation(), transports=("rest",))


def test_files_for_ci(tmp_path: Path) -> None:
    """Each that is asked for; one that cannot be written is told by name."""
    given = EvaluationArguments(junit=tmp_path / "a.xml", markdown=tmp_path / "b.md")
    summary = summary_of([], thresholds=RESULTS)
    given.export(summary, name="run")
    EvaluationArguments().export(summary, name="run")

    assert {path.name for path in tmp_path.iterdir()} == {"a.xml", "b.md"}
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        EvaluationArguments(markdown=tmp_path).export(summary, name="run")

    assert caught.value.setting == "markdown"
