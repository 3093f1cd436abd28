"""JUnit XML, as a CI system reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from junitparser import JUnitXml, TestSuite
from tests.fleet.report.test_thresholds import summary_of

from aiodps.fleet.ci.junit import write_junit
from aiodps.fleet.report.summary import Summary

RESULTS = [
    {
        "threshold": "p99>5s", "of": "mqtt", "passed": True, "value": 1.5, "limit": 5.0,
        "unit": "s", "reason": None,
    },
    {
        "threshold": "errors>0.1%", "of": "rest", "passed": False, "value": 0.012, "limit": 0.001,
        "unit": "%", "reason": None,
    },
    {
        "threshold": "limited", "of": "the generator", "passed": False, "value": None,
        "limit": None, "unit": "", "reason": 'late <by> "2 s" & \x00 more',
    },
]  # fmt: skip


@pytest.fixture
def summary() -> Summary:
    """Return a run that kept one of three thresholds."""
    return summary_of([], thresholds=RESULTS, duration=12.5)


def test_each_threshold_is_a_case(summary: Summary, tmp_path: Path) -> None:
    """With its value where it failed; what XML cannot hold is replaced."""
    path = tmp_path / "junit.xml"
    write_junit(path, summary, name="runs/<a>")
    [suite] = JUnitXml.fromfile(str(path))

    assert isinstance(suite, TestSuite)
    assert (suite.name, suite.tests, suite.failures, suite.errors) == ("runs/<a>", 3, 2, 0)
    assert suite.time == 12.5
    cases = list(suite)
    assert [case.name for case in cases] == [
        "mqtt: p99>5s", "rest: errors>0.1%", "the generator: limited",
    ]  # fmt: skip
    messages = [[one.message for one in case.result] for case in cases]
    assert messages == [
        [],
        ["errors>0.1%: rest: 1.20 %"],
        ['limited: the generator: late <by> "2 s" & \ufffd more'],
    ]


def test_a_run_that_keeps_all(summary: Summary, tmp_path: Path) -> None:
    """It has no failure; a file that is there is replaced."""
    path = tmp_path / "junit.xml"
    path.write_text("old")
    write_junit(path, {**summary, "thresholds": RESULTS[:1]}, name="a")
    [suite] = JUnitXml.fromfile(str(path))

    assert (suite.tests, suite.failures) == (1, 0)
