"""The emulator as a user runs it, and a browser on its page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tests.browser.chromium import open_browser

WAIT: Final = 20
"""Seconds for whatever a browser or a process does."""


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Run the emulator with an admin port; yield its facts."""
    ports = ("--https-port", "0", "--mqtt-port", "0", "--admin-port", "0")
    command = (
        *(sys.executable, "-m", "aiodps", "emulator", "--json", "--quiet"),
        *(*ports, "--retry-after", "1", "--ca-out", str(folder / "ca.pem"), *options),
    )
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT)


@contextmanager
def open_page(
    server: dict[str, Any], width: int, height: int, *, dark: bool = False
) -> Iterator[Chrome]:
    """Open the page at this size, as somebody who has the token."""
    with open_browser(width, height, dark=dark) as browser:
        browser.get(f"{server['admin_url']}/?token={server['admin_token']}")
        assert "token" not in browser.current_url
        yield browser


def aiodps(folder: Path, *words: str, check: bool = True) -> str:
    """Run a command of ours."""
    command = (sys.executable, "-m", "aiodps", *words)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=check)
    return done.stdout


def until(browser: Chrome, text: str) -> None:
    """Wait until the page says something, and its script listens to keys."""
    waiting = WebDriverWait(browser, WAIT, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(lambda _: text in browser.find_element(By.TAG_NAME, "body").text)
    waiting.until(lambda _: browser.execute_script("return document.readyState") == "complete")


def press(browser: Chrome, label: str) -> None:
    """Press the button or follow the link of this label."""
    script = "arguments[0].scrollIntoView({block: 'center'})"
    words = f"[normalize-space()='{label}']"
    found = browser.find_element(By.XPATH, f"//main//button{words} | //main//a{words}")
    browser.execute_script(script, found)
    found.click()


def fill(browser: Chrome, name: str, text: str) -> None:
    """Type into a field, or choose a file or an option."""
    browser.find_element(By.NAME, name).send_keys(text)
