"""The page says what the summary says, to everybody, and cannot be made to do anything else."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from tests.fleet.ci.test_junit import RESULTS
from tests.fleet.report.test_summary import FACTS
from tests.fleet.runs import COMMAND, NASTY, run_folder
from tests.fleet.samples import sample
from tests.fleet.simulated import simulated_run

from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.report.compare import Run, read_run
from aiodps.fleet.report.html import write_comparison, write_report
from aiodps.fleet.report.page import render
from aiodps.fleet.report.summary import summarize

pytestmark = pytest.mark.slow

FIGURE = re.compile(r'data-figure="([^"]+)">([^<]*)<')


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the report of a run; drawing one takes half a second."""
    return write_report(run_folder(tmp_path_factory.mktemp("run"))).read_text("utf-8")


def test_figures_are_the_summarys(page: str) -> None:
    """Each figure on the page is found in the summary where it says it comes from."""
    found = dict(FIGURE.findall(page))

    assert found["transports/rest/devices"] == "40"
    assert found["transports/mqtt/failed"] == "1"
    assert found["transports/rest/register_requests"] == "40"
    assert found["transports/rest/latency/p50"] == "2.10 s"
    assert found["transports/rest/latency/max"] == "2.12 s"
    assert found["transports/rest/latency/p99.9"] == "max of 39"
    assert found["transports/rest/latency_of_all/p50"] == "2.10 s"
    assert found["transports/rest/latency_of_all/p99"] == "never"
    assert found["transports/rest/time_to_failure/max"] == "150 ms"
    assert found["transports/rest/phases/wait/mean"] == "2.00 s"
    assert found["transports/rest/phases/session/mean"] == "-"
    assert found["transports/mqtt/phases/session/mean"] == "4.00 ms"
    assert found["errors/0/count"] == "2"
    assert found["errors/0/share"] == "2.50 %"
    assert COMMAND in page
    assert "02 January 2026, 03:04:05 UTC" in page
    assert "rest vs. mqtt" in page
    assert "Thresholds" not in page


def test_a_run_in_which_nothing_was_assigned(caplog: pytest.LogCaptureFixture) -> None:
    """It has a page too, and what draws it does not complain of empty charts."""
    failed = [sample(outcome=Outcome.FAILED)]

    assert "<html" in render([Run(name="a", summary=summarize(failed, FACTS), samples=failed)])
    assert caplog.text == ""


def test_it_loads_nothing(page: str) -> None:
    """No address is loaded, and the policy allows the two scripts that are on it, by hash."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)

    assert not re.search(r'src=|href=(?!"#)|url[(]|@import', outside)
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    assert len(scripts) == 2
    for text in scripts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy


def test_nobody_breaks_out(tmp_path: Path) -> None:
    """What the service said, and what a folder is called, is text and nothing else."""
    run = read_run(run_folder(tmp_path))
    page = render([Run(name=NASTY, summary=run.summary, samples=run.samples)], [run])

    assert NASTY not in page
    assert page.count("<script>") == 2
    assert "&lt;/script&gt;&lt;script&gt;alert(" in page


def test_two_runs(tmp_path: Path) -> None:
    """Two runs stand side by side, each under its name, with what speaks against it."""
    one = run_folder(tmp_path / "before", transports=("rest",))
    other = run_folder(tmp_path / "after", transports=("rest",), limited=True)
    write_comparison([read_run(one)], [read_run(other)], tmp_path / "both.html")
    page = (tmp_path / "both.html").read_text("utf-8")
    found = dict(FIGURE.findall(page))

    assert "<h1>before vs. after" in page
    assert (
        "after: The run was limited by its generator: the event loop was late by 300 ms at p99"
        in page
    )
    assert "before: 1 of 40 devices failed; after: 1 of 40 devices failed" in page
    assert found["0/transports/rest/latency/p50"] == found["1/transports/rest/latency/p50"]


def test_each_section_can_be_jumped_to(page: str) -> None:
    """The list of links leads to sections that are there, and leaves none out."""
    links = re.findall(r'href="#([^"]+)"', page)
    sections = re.findall(r'<section[^>]* id="([^"]+)"', page)

    assert links == sections
    assert links[0] == "figures"


def test_the_target_is_in_the_title(page: str) -> None:
    """Of several open reports, each can be told from the others."""
    [title] = re.findall(r"<title>([^<]+)</title>", page)

    assert title == "40 devices over rest and mqtt · an emulator on this machine · aiodps fleet"
    assert "against an emulator on this machine</span></h1>" in page


def test_charts_of_few_devices() -> None:
    """Three have no rate; one has no distribution either."""
    samples = [sample(registration_id=f"d{n}", finished=1.0 + n) for n in range(3)]
    few, one = (
        render([Run(name="a", summary=summarize(some, FACTS), samples=some)])
        for some in (samples, samples[:1])
    )
    charts = [re.findall(r'role="img" aria-label="(\w+)', page) for page in (few, one)]

    assert charts == [
        ["Histogram", "Devices", "Latency", "Parts", "The"],
        ["Devices", "Latency", "Parts", "The"],
    ]


def test_a_pause_is_told(tmp_path: Path) -> None:
    """Between two sessions nobody ran."""
    run = read_run(run_folder(tmp_path))
    sessions = [{"began": 0.0, "last_seen": 1.0}, {"began": 2.0, "last_seen": 5.0}]
    page = render(
        [Run(name="a", summary={**run.summary, "sessions": sessions}, samples=run.samples)]
    )

    assert "Grey: nobody ran" in page
    assert page.count('"name":"BoxAnnotation"') == 3


def test_a_run_without_samples() -> None:
    """Even of nothing there is a page."""
    page = render([Run(name="a", summary=summarize([], FACTS), samples=[])])

    assert "<h1>0 devices over no transport" in page
    assert "Nothing was tried" in page


def test_the_verdict_is_the_summarys() -> None:
    """It is not made a second time, which takes long with many devices."""
    verdict = {"kind": "good", "lead": "Just so", "sentence": "nothing else."}
    samples = [sample()]
    summary = {**summarize(samples, FACTS), "verdict": verdict}

    assert "Just so" in render([Run(name="a", summary=summary, samples=samples)])


def test_several_runs_a_side(tmp_path: Path) -> None:
    """Each run has its line, in the colour of its side; figures have verdicts."""
    runs = [simulated_run(seed, devices=100) for seed in range(6)]
    page = render(runs[:3], runs[3:])
    colours = re.findall(r'<article style="--c: (#\w+)">', page)

    assert "<h1>run-0 (3 runs) vs. run-3 (3 runs)" in page
    assert (len(colours), len({*colours[:3]}), len({*colours[3:]}), len({*colours})) == (
        6,
        1,
        1,
        2,
    )
    assert '<td class="no difference shown">no difference shown</td>' in page
    assert "what differs from run to run" in page


@pytest.mark.parametrize("count", [0, 2])
def test_one_run_or_two_sides(tmp_path: Path, count: int) -> None:
    """A report is on one run or on two sides."""
    with pytest.raises(ValueError, match="one run, or about two sides"):
        render([read_run(run_folder(tmp_path))] * count)


def test_thresholds_window_and_calibration(tmp_path: Path) -> None:
    """Each threshold with its value and result; what the figures are of, and how exact."""
    run = read_run(run_folder(tmp_path))
    more = {
        "thresholds": RESULTS,
        "window": {"from": 1.0, "to": 1.5, "warm_up": 40, "cool_down": 18, "failed": 2},
        "calibration": {"sentences": ["The harness adds 7 ms."]},
    }
    page = render([Run(name="a", summary={**run.summary, **more}, samples=run.samples)])
    found = dict(FIGURE.findall(page))

    assert (found["thresholds/0/value"], found["thresholds/1/value"]) == ("1.50 s", "1.20 %")
    assert page.count('class="good">passed<') == 1
    assert page.count('class="bad">missed') == 2
    assert "late &lt;by&gt;" in page
    assert "Figures of 1.00 s to 1.50 s: 40 devices of the warm-up and 18" in page
    assert "The harness adds 7 ms." in page
