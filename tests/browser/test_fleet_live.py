"""The page of a run that goes on, in a real browser: it changes without being loaded anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tests.browser.axe import violations
from tests.browser.chromium import open_browser
from tests.fleet.live.runs import Clock, going_on

from aiodps.fleet.live.page import LivePage
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.live.server import serving

pytestmark = pytest.mark.browser
PAGE_TIMEOUT = 20
POINTS = "return Bokeh.documents[0].get_model_by_name(arguments[0]).renderers[0].data_source.data.x.length"


class Run:
    """A run that goes on when it is told to."""

    def __init__(self) -> None:
        self._clock = Clock()
        self.recorder = Recorder(clock=self._clock)
        self._seconds = 0
        self.go_on(4)

    def go_on(self, seconds: int) -> None:
        """Let time pass, in which devices start and end."""
        for _ in range(seconds):
            self._seconds += 1
            self._clock.now = float(self._seconds)
            self.recorder(going_on(seconds=self._seconds).progress)


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """Open a browser."""
    with open_browser(1280, 900) as browser:
        yield browser


def script(browser: Chrome, text: str, *arguments: Any) -> Any:
    """Run a script of the test's."""
    return browser.execute_script(text, *arguments)


def test_it_goes_on_and_ends(browser: Chrome) -> None:
    """Figures and charts follow the run, the policy and axe-core object to nothing, and the end is told."""
    run = Run()
    live = LivePage(
        run.recorder, command="aiodps fleet run", report="r.html", target="", burst=False
    )
    wait = WebDriverWait(browser, PAGE_TIMEOUT)
    with serving(
        "127.0.0.1", 0, {"/t/": live.page, "/t/changes": live.changes}, setting="live"
    ) as url:
        browser.get(f"{url}/t/")
        wait.until(lambda _: script(browser, "return Bokeh.documents.length") == 1)
        script(browser, "window.sameOne = true")
        before = script(browser, POINTS, "throughput")
        run.go_on(3)
        wait.until(lambda _: "15 of 100 ended" in browser.find_element(By.ID, "state").text)

        assert script(browser, POINTS, "throughput") == before + 2 * 3
        assert script(browser, "return window.sameOne")
        assert browser.find_element(By.ID, "rest/assigned").text == "7"
        assert not browser.find_element(By.ID, "ended").is_displayed()
        assert violations(browser) == []
        entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert [entry for entry in entries if entry["level"] != "INFO"] == []

    wait.until(lambda _: browser.find_element(By.ID, "ended").is_displayed())
    assert "r.html" in browser.find_element(By.ID, "ended").text
