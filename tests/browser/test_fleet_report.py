"""The fleet's report in a real browser: from disk, on a large screen and on a phone, by day and by night."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tests.browser.axe import violations
from tests.browser.chromium import open_browser
from tests.fleet.runs import COMMAND, run_folder

from aiodps.fleet.report.compare import read_run
from aiodps.fleet.report.html import write_comparison, write_report

pytestmark = pytest.mark.browser
PAGE_TIMEOUT = 20
SIZES = pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
SCALES = {"ms": 0.001, "s": 1.0, "/s": 1.0, "%": 0.01, "": 1.0}

CANVASES = """
const found = []
const look = (node) => {
  if (node.tagName === "CANVAS" && node.width > 0) found.push(node)
  for (const child of [...node.children, ...(node.shadowRoot?.children ?? [])]) look(child)
}
look(document.body)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with its report."""
    folder = run_folder(tmp_path_factory.mktemp("runs") / "a")
    write_report(folder)
    return folder


@pytest.fixture
def browser(request: pytest.FixtureRequest, folder: Path, width: int) -> Iterator[Chrome]:
    """Open the report; its console stays silent and nothing but the file is loaded."""
    with open_browser(width, 900) as browser:
        show(browser, folder / "report" / "index.html")
        yield browser
        entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert [entry for entry in entries if entry["level"] != "INFO"] == []
        assert script(browser, "return performance.getEntriesByType('resource').length") == 0


def script(browser: Chrome, text: str) -> Any:
    """Run a script of the test's."""
    return browser.execute_script(text)


def show(browser: Chrome, page: Path) -> None:
    """Open a page from disk and wait until its charts are drawn."""
    browser.get(page.as_uri())
    charts = len(browser.find_elements(By.CSS_SELECTOR, "[data-root-id]"))
    WebDriverWait(browser, PAGE_TIMEOUT).until(
        lambda _: script(browser, f"{CANVASES} return found.length") >= charts == 7
    )


def said(text: str) -> float | None:
    """Read a figure as it is written for people."""
    if text in {"-", "never"}:  # not known, or later than any that ended
        return None

    found = re.fullmatch(r"(-?[\d,]+(?:\.\d+)?) ?(ms|s|/s|%|)", text)
    assert found, text
    return float(found[1].replace(",", "")) * SCALES[found[2]]


def summarized(summary: Any, path: str) -> Any:
    """Follow a path into a summary."""
    for name in path.split("/"):
        summary = summary[int(name)] if isinstance(summary, list) else (summary or {}).get(name)

    return summary


@SIZES
def test_the_figures_are_those_of_the_summary(browser: Chrome, folder: Path) -> None:
    """Every figure on the page is the summary's, to the three digits that are shown."""
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    cells = browser.find_elements(By.CSS_SELECTOR, "[data-figure]")

    assert len(cells) > 70
    for cell in cells:
        path = cell.get_attribute("data-figure") or ""
        expected = summarized(summary, path)
        text = str(cell.get_property("textContent"))
        if text.startswith("max of "):  # a percentile that so few values do not carry
            continue

        figure = said(text)
        assert figure == (expected and pytest.approx(expected, rel=0.006, abs=0.000_006)), path


@SIZES
def test_it_fits(browser: Chrome, width: int) -> None:
    """Nothing is wider than the window, and the command stands there whole."""
    assert script(browser, "return document.documentElement.scrollWidth") <= width
    assert browser.find_element(By.CSS_SELECTOR, ".command").text == COMMAND
    verdict = browser.find_element(By.CSS_SELECTOR, ".verdict").text
    assert verdict.startswith("2 of 80 registrations failed: 40 devices asked an emulator")


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(browser: Chrome, scheme: str) -> None:
    """axe-core has nothing to say, by day and by night."""
    chosen = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", chosen)

    assert violations(browser) == []


@SIZES
def test_a_jump(browser: Chrome) -> None:
    """A link of the list leads to its section, whose heading is not below the list."""
    links = browser.find_element(By.TAG_NAME, "nav")
    links.find_element(By.LINK_TEXT, "Over time").click()
    top = "return document.querySelector(arguments[0]).getBoundingClientRect()[arguments[1]]"

    assert browser.execute_script(top, "#time h2", "top") >= browser.execute_script(
        top, "nav", "bottom"
    )


@SIZES
def test_day_and_night(browser: Chrome) -> None:
    """Page and charts follow the scheme, at once and without loading anew."""
    look = f"{CANVASES} return [getComputedStyle(document.body).backgroundColor, found[0].toDataURL()]"
    day = script(browser, look)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    WebDriverWait(browser, PAGE_TIMEOUT).until(lambda _: script(browser, look)[1] != day[1])

    assert script(browser, look)[0] != day[0]


@SIZES
def test_two_runs(browser: Chrome, folder: Path, tmp_path: Path) -> None:
    """A comparison of two runs is such a page too."""
    other = run_folder(tmp_path / "b", transports=("rest",), limited=True)
    write_comparison([read_run(folder)], [read_run(other)], tmp_path / "both.html")
    show(browser, tmp_path / "both.html")

    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("a vs. b")
    told = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".caution")]
    assert any("limited by its generator" in each for each in told)
