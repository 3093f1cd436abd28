"""The emulator's page in a real browser, by the steps of the article on proof of possession.

Source of the steps: Microsoft Learn, "How to do proof-of-possession for X.509 CA certificates with
your Device Provisioning Service".
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from tests.browser.chromium import open_browser

pytestmark = pytest.mark.browser
PATIENCE = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the emulator as a user does, with a admin port."""
    folder = tmp_path_factory.mktemp("emulator")
    ports = ("--https-port", "0", "--mqtt-port", "0", "--admin-port", "0")
    command = (
        *(sys.executable, "-m", "aiodps", "emulator", "--json", "--quiet"),
        *(*ports, "--retry-after", "1", "--ca-out", str(folder / "ca.pem")),
    )
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desk", "phone"])
def browser(request: pytest.FixtureRequest, server: dict[str, Any]) -> Iterator[Chrome]:
    """Open the page in a window of this size; nothing may go wrong in its console."""
    with open_browser(*request.param) as browser:
        browser.get(f"{server['admin_url']}/?token={server['admin_token']}")
        assert "token" not in browser.current_url
        yield browser
        log = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert [entry for entry in log if entry["level"] == "SEVERE"] == []


def aiodps(folder: Path, *words: str) -> str:
    """Run a command of ours."""
    command = (sys.executable, "-m", "aiodps", *words)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def until(browser: Chrome, text: str) -> None:
    """Wait until the page says something, and its script listens to keys."""
    waiting = WebDriverWait(browser, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(lambda _: text in browser.find_element(By.TAG_NAME, "main").text)
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


def test_from_root_to_assigned(
    browser: Chrome, server: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Create root, upload, code, verify, enrol a group, provision a device, and see it arrive."""
    name = f"root-{request.node.callspec.id}"
    aiodps(tmp_path, "certs", "root", name, "--out", "certs")
    certificate = tmp_path / "certs" / f"{name}_cert.pem"

    browser.find_element(By.TAG_NAME, "body").send_keys("4")
    until(browser, "Upload a certificate")
    fill(browser, "name", name)
    fill(browser, "certificate", str(certificate))
    press(browser, "Upload")
    until(browser, "not verified")

    press(browser, "Generate verification code")
    until(browser, "Verification code")
    code = browser.find_element(By.CSS_SELECTOR, "[data-code]").text
    key = tmp_path / "certs" / f"{name}_key.pem"
    files = ("--ca", str(certificate), "--key", str(key), "--nonce", code, "--out", "certs")
    aiodps(tmp_path, "certs", "verification", *files)
    fill(browser, "proof", str(tmp_path / "certs" / "verification_cert.pem"))
    press(browser, "Verify")
    until(browser, f"{name} is verified.")

    browser.find_element(By.TAG_NAME, "body").send_keys("3")
    until(browser, "Add an enrollment group")
    browser.find_element(By.TAG_NAME, "body").send_keys("n")
    until(browser, "Group name")
    fill(browser, "id", f"group-{name}")
    fill(browser, "attestation", "X.509, CA certificate")
    fill(browser, "ca_primary", name)
    press(browser, "Add")
    until(browser, f"group-{name} was added.")

    browser.find_element(By.TAG_NAME, "body").send_keys("6")
    until(browser, "live")
    WebDriverWait(browser, PATIENCE).until(
        lambda _: browser.find_element(By.CSS_SELECTOR, ".live").text == "live"
    )
    device = f"sensor-{name}"
    aiodps(tmp_path, "certs", "device", device, name, "--out", "certs")
    provision(tmp_path, device, server)
    # The row comes by itself: the page is not loaded again.
    until(browser, device)
    until(browser, "assigned")


def test_a_refused_device_is_seen_live(
    browser: Chrome, server: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With the service's words."""
    name = f"stranger-{request.node.callspec.id}"
    browser.find_element(By.TAG_NAME, "body").send_keys("6")
    until(browser, "live")
    aiodps(tmp_path, "certs", "root", "nobody", "--out", "certs")
    aiodps(tmp_path, "certs", "device", name, "nobody", "--out", "certs")
    with pytest.raises(subprocess.CalledProcessError):
        provision(tmp_path, name, server)

    until(browser, f"{name}")
    until(browser, "refused, 401")
    browser.find_element(By.TAG_NAME, "body").send_keys("/")
    browser.switch_to.active_element.send_keys("no such device")
    assert name not in browser.find_element(By.TAG_NAME, "tbody").text
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)


def test_without_the_token_there_is_nothing(server: dict[str, Any]) -> None:
    """Neither page nor files."""
    with open_browser(800, 600) as browser:
        browser.get(server["admin_url"])
        assert "Certificates" not in browser.page_source


def test_no_request_leaves_the_page(browser: Chrome) -> None:
    """Everything that is loaded comes from the admin port."""
    origin = browser.execute_script("return location.origin")
    for key in "1234567":
        browser.find_element(By.TAG_NAME, "body").send_keys(key)
        script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        loaded = browser.execute_script(script)
        assert all(name.startswith((origin, "data:")) for name in loaded)


def provision(folder: Path, device: str, server: dict[str, Any]) -> None:
    """Provision a device as a user does."""
    aiodps(
        folder,
        *("provision", "--id-scope", server["id_scope"], "--transport", "rest"),
        *("--endpoint", server["host"], "--port", str(server["https_port"])),
        *("--trust", server["ca_file"], "--cert", f"certs/{device}_chain.pem"),
        *("--key", f"certs/{device}_key.pem"),
    )
