"""The emulator's page in a real browser, by the steps of the article on proof of possession.

Source of the steps: Microsoft Learn, "How to do proof-of-possession for X.509 CA certificates with
your Device Provisioning Service".
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from tests.browser.chromium import open_browser
from tests.browser.emulator_server import WAIT, aiodps, fill, open_page, press, serve, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the emulator as a user does, with an admin port."""
    with serve(tmp_path_factory.mktemp("emulator")) as server:
        yield server


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def browser(request: pytest.FixtureRequest, server: dict[str, Any]) -> Iterator[Chrome]:
    """Open the page in a window of this size; nothing may go wrong in its console."""
    with open_page(server, *request.param) as browser:
        yield browser
        log = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert [entry for entry in log if entry["level"] == "SEVERE"] == []


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
    WebDriverWait(browser, WAIT).until(
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
