"""The live page: the charts of the report, and a script that fetches their data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from tests.fleet.live.runs import going_on
from tests.fleet.runs import NASTY

from aiodps.fleet.live.page import LivePage
from aiodps.fleet.live.recorder import Recorder

pytestmark = pytest.mark.slow


def live(recorder: Recorder, **changes: Any) -> LivePage:
    """Make a page."""
    plain: dict[str, Any] = {
        "command": "aiodps fleet run",
        "report": "r.html",
        "target": "dps.contoso.example",
        "burst": False,
    }
    return LivePage(recorder, **plain | changes)


@pytest.fixture(scope="module")
def page() -> str:
    """Return the page of a run that goes on."""
    return live(going_on(), command=NASTY).page().body.decode()


def test_the_page_has_what_its_script_changes(page: str) -> None:
    """Each text has its element, and each chart its name."""
    changes = json.loads(live(going_on()).changes().body)

    assert f'data-shape="{changes["shape"]}"' in page
    for name, text in changes["texts"].items():
        assert re.search(rf'id="{name}">{re.escape(text)}<', page), name

    for name in changes["charts"]:
        assert f'"name":"{name}"' in page


def test_figures() -> None:
    """Those of the progress."""
    texts = json.loads(live(going_on()).changes().body)["texts"]

    assert texts["state"] == "9 of 100 ended, 7 in flight"
    assert texts["errors"] == "1 x ThrottledError"
    assert (texts["rest/latency/p50"], texts["mqtt/assigned"]) == ("1.00 s", "4")


def test_data_is_in_the_order_of_what_is_drawn() -> None:
    """A filled line is an area and a line, with the same data."""
    charts = json.loads(live(going_on()).changes().body)["charts"]

    assert {name: len(data) for name, data in charts.items()} == {
        "histogram": 2, "percentiles": 4, "throughput": 5, "flight": 4, "latency": 4, "phases": 6, "work": 5,
    }  # fmt: skip
    assert charts["flight"][0] == charts["flight"][1]


def test_another_shape() -> None:
    """More data has the same; the first failure is another line, for which the page loads anew."""
    shapes = [json.loads(live(each).changes().body)["shape"] for each in (
        going_on(seconds=4), going_on(seconds=6), Recorder(),
    )]  # fmt: skip

    assert shapes[0] == shapes[1] != shapes[2]


def test_the_policy() -> None:
    """Its own two scripts, requests to where it comes from, and nothing else."""
    response = live(going_on()).page()
    policy = response.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script>(.*?)</script>", response.body.decode(), re.DOTALL)

    assert len(scripts) == 2
    for text in scripts:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy

    assert "default-src 'none'" in policy
    assert "connect-src 'self'; frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy


def test_nobody_breaks_out(page: str) -> None:
    """A command is text, and an error too."""
    assert NASTY not in page
    assert NASTY not in live(going_on(error=NASTY)).page().body.decode()


def test_before_anything_has_started() -> None:
    """There is a page, with empty charts."""
    response = live(Recorder(), burst=True).page()

    assert b"0 of 0 ended" in response.body


def test_the_page_of_the_emulator() -> None:
    """Once it is known, the page is loaded anew, and links to it."""
    recorder = going_on()
    page = live(recorder)
    before = json.loads(page.changes().body)["shape"]
    assert b"The emulator's page" not in page.page().body
    recorder.emulator_page = "http://127.0.0.1:8123/?token=x"

    assert json.loads(page.changes().body)["shape"] != before
    assert b'<a href="http://127.0.0.1:8123/?token=x"' in page.page().body


def test_no_number_is_null() -> None:
    """JSON has no NaN, which interrupts a line where no device was assigned."""
    body = live(going_on()).changes().body

    assert b"NaN" not in body
