"""The emulator's page for everybody: axe-core, the keyboard alone, a narrow screen, no scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.browser.axe import violations
from tests.browser.emulator_server import aiodps, fill, open_page, press, serve, until

from aiodps.pki import Authority

pytestmark = pytest.mark.browser
SECTIONS: Final = 7
PAGES: Final = (
    *(
        "/",
        "/enrollments",
        "/enrollments/new",
        "/enrollments/press-5",
        "/enrollments/press-5/edit",
    ),
    *("/enrollments/sensor-7", "/enrollments/sensor-7/edit", "/enrollments/gateway-1/edit"),
    *("/enrollments/press-6/edit", "/groups", "/groups/new", "/groups/line-4"),
    *("/groups/line-4/edit", "/certificates", "/hubs", "/registrations", "/requests"),
    *("/registrations/press-5/requests", "/registrations/press-6/requests"),
    *("/enrollments/nobody",),
)
"""Every kind of page, with a device that is assigned and one that is disabled."""


def enrollments(folder: Path) -> list[dict[str, Any]]:
    """Enroll one of each kind; the keys of two are in files."""
    root = Authority.root("my root")
    (folder / "root.pem").write_bytes(root.certificate_pem)
    pair = {name: {"certificate": root.device("sensor-7").certificate_pem.decode()}
            for name in ("primary", "secondary")}  # fmt: skip
    signing = {"primary": {"certificate": root.certificate_pem.decode()}}
    webhook = {"webhookUrl": "http://127.0.0.1:9/", "apiVersion": "2021-10-01"}
    key = {"type": "symmetricKey", "symmetricKey": {"primaryKey": "A" * 44}}
    (folder / "device.key").write_text("A" * 44)
    x509 = {"type": "x509", "x509": {"clientCertificates": pair}}
    return [
        {"registrationId": "sensor-7", "attestation": x509},
        {"registrationId": "press-5", "attestation": key, "initialTwin": {"tags": {"hall": 4}}},
        {"registrationId": "press-6", "attestation": key, "provisioningStatus": "disabled",
         "allocationPolicy": "custom", "customAllocationDefinition": webhook},
        {"registrationId": "gateway-1",
         "attestation": {"type": "tpm", "tpm": {"endorsementKey": "QUJD"}}},
        {"enrollmentGroupId": "line-4",
         "attestation": {"type": "x509", "x509": {"signingCertificates": signing}}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run an emulator with one of everything; one device is assigned, one is disabled."""
    folder = tmp_path_factory.mktemp("emulator")
    (folder / "enrollments.json").write_text(json.dumps(enrollments(folder)))
    with serve(folder, "--enrollments", "enrollments.json", "--verified-ca", "root.pem") as server:
        for name in ("press-5", "press-6"):
            provision(folder, server, name)

        yield server


def provision(folder: Path, server: dict[str, Any], name: str) -> None:
    """Provision a device, whatever comes of it."""
    aiodps(
        folder,
        *("provision", "--id-scope", server["id_scope"], "--transport", "rest"),
        *("--endpoint", server["host"], "--port", str(server["https_port"])),
        *("--trust", server["ca_file"], "--registration-id", name),
        *("--symmetric-key-file", "device.key"),
        check=False,
    )


def focused(browser: Chrome) -> dict[str, Any]:
    """Describe the element that has the focus."""
    script = """
        const element = document.activeElement, style = getComputedStyle(element);
        window.stops = window.stops || [];
        const known = window.stops.at(-1);
        window.stops.push(element);
        return {
            tag: element.tagName, text: element.textContent.trim(), name: element.name || "",
            visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
            after: !known || Boolean(
                known.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING),
        }"""
    found: dict[str, Any] = browser.execute_script(script)
    return found


def keys(browser: Chrome, *typed: str) -> None:
    """Type on whatever has the focus."""
    for each in typed:
        ActionChains(browser).send_keys(each).perform()


def tab_to(browser: Chrome, *, text: str = "", name: str = "") -> None:
    """Press Tab until an element has the focus."""
    for _ in range(80):
        keys(browser, Keys.TAB)
        now = focused(browser)
        if (text and now["text"] == text) or (name and now["name"] == name):
            return

    raise AssertionError(f"Tab does not reach {text or name}")


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["wide", "narrow"])
def test_axe_finds_nothing(server: dict[str, Any], size: tuple[int, int]) -> None:
    """In light and dark, with everything that can be opened open; nothing is too wide."""
    found: dict[str, list[str]] = {}
    with open_page(server, *size) as browser:
        for path in PAGES:
            browser.get(f"{server['admin_url']}{path}")
            browser.execute_script("for (const each of document.querySelectorAll('details'))"
                                   " each.open = true")  # fmt: skip
            found[path] = []
            for value in ("light", "dark"):
                scheme = {"features": [{"name": "prefers-color-scheme", "value": value}]}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
                found[path] += [f"{value}: {fault}" for fault in violations(browser)]

            script = "return document.documentElement.scrollWidth - innerWidth"
            if browser.execute_script(script) > 0:
                found[path].append("wider than the screen")

    assert {path: faults for path, faults in found.items() if faults} == {}


def test_axe_finds_nothing_when_something_is_refused(server: dict[str, Any]) -> None:
    """The message has the focus and describes the field; the question before a deletion too."""
    with open_page(server, 390, 844) as browser:
        browser.get(f"{server['admin_url']}/enrollments/press-5/edit")
        fill(browser, "twin", "{")
        press(browser, "Save")
        until(browser, "initialTwin is not JSON")
        assert focused(browser)["text"].startswith("initialTwin is not JSON")
        assert browser.find_element(By.NAME, "twin").get_attribute("aria-invalid") == "true"
        assert violations(browser) == []

        browser.get(f"{server['admin_url']}/enrollments/press-5")
        press(browser, "Delete")
        assert focused(browser)["text"] == "Cancel"
        assert violations(browser) == []


def test_the_keyboard_alone(server: dict[str, Any]) -> None:
    """Skip the sections, add an enrollment, edit it, think twice, and delete it."""
    with open_page(server, 1280, 900) as browser:
        keys(browser, Keys.TAB)
        assert focused(browser) | {"after": True} == {
            "tag": "A", "text": "Skip to content", "name": "", "visible": True, "after": True,
        }  # fmt: skip
        keys(browser, Keys.ENTER)
        assert focused(browser)["tag"] == "MAIN"

        keys(browser, "2")
        until(browser, "Each allows one device")
        keys(browser, "n")
        until(browser, "Add an individual enrollment")
        keys(browser, "by-keyboard", Keys.TAB, "Symmetric")
        tab_to(browser, text="Add")
        keys(browser, Keys.ENTER)
        until(browser, "by-keyboard was added.")

        tab_to(browser, text="by-keyboard")
        keys(browser, Keys.ENTER)
        until(browser, "As the service API shows it")
        keys(browser, "e")
        until(browser, "Edit by-keyboard")
        tab_to(browser, name="device_id")
        keys(browser, "other", Keys.ENTER)
        until(browser, "by-keyboard was saved.")

        tab_to(browser, text="Delete")
        keys(browser, Keys.ENTER, Keys.ESCAPE)
        assert focused(browser)["text"] == "Delete"
        keys(browser, Keys.ENTER, Keys.TAB, Keys.ENTER)
        until(browser, "by-keyboard was deleted.")


@pytest.mark.parametrize("path", ["/enrollments", "/enrollments/sensor-7/edit", "/certificates"])
def test_tab_goes_through_the_page_in_order(server: dict[str, Any], path: str) -> None:
    """Each stop is seen, and follows the one before it."""
    with open_page(server, 390, 844) as browser:
        browser.get(f"{server['admin_url']}{path}")
        browser.execute_script("document.activeElement.blur()")
        stops: list[dict[str, Any]] = []
        for _ in range(60):
            keys(browser, Keys.TAB)
            stop = focused(browser)
            if stop["tag"] == "BODY" or (stops and not stop["after"]):
                break

            stops.append(stop)

        assert len(stops) > SECTIONS + 5
        assert [stop for stop in stops if not stop["visible"]] == []


def test_the_current_section_is_in_sight(server: dict[str, Any]) -> None:
    """On a narrow screen, whichever it is."""
    script = """
        const box = document.querySelector("nav [aria-current]").getBoundingClientRect();
        return box.left >= 0 && box.right <= innerWidth"""
    with open_page(server, 390, 844) as browser:
        for key in range(1, SECTIONS + 1):
            keys(browser, str(key))
            until(browser, "A test tool")
            assert browser.execute_script(script), key


def test_what_is_typed_is_kept(server: dict[str, Any], tmp_path: Path) -> None:
    """A file that was chosen survives an error; then all of it is saved."""
    certificate = tmp_path / "new.pem"
    certificate.write_bytes(Authority.root("new").device("sensor-7").certificate_pem)
    with open_page(server, 390, 844) as browser:
        browser.get(f"{server['admin_url']}/enrollments/sensor-7/edit")
        fill(browser, "secondary", str(certificate))
        fill(browser, "device_id", "kept")
        fill(browser, "twin", "{")
        press(browser, "Save")
        until(browser, "Chosen before: CN=sensor-7")
        fill(browser, "twin", "}")
        press(browser, "Save")
        until(browser, "sensor-7 was saved.")
        until(browser, "CN=new")
        assert "kept" in browser.find_element(By.TAG_NAME, "main").text


def test_keys_are_copied_without_being_shown(server: dict[str, Any]) -> None:
    """The clipboard has the key, the screen does not."""
    with open_page(server, 1280, 900) as browser:
        browser.get(f"{server['admin_url']}/enrollments/press-5")
        browser.find_element(By.CSS_SELECTOR, "[aria-label='Copy Primary key']").click()
        until(browser, "Copied")
        assert "A" * 44 not in browser.find_element(By.TAG_NAME, "body").text
        browser.get(f"{server['admin_url']}/enrollments/new")
        browser.find_element(By.NAME, "id").send_keys(Keys.CONTROL, "v")
        assert browser.find_element(By.NAME, "id").get_attribute("value") == "A" * 44


def test_without_scripts(server: dict[str, Any]) -> None:
    """Add, edit and delete; what scripts would do is not there, and all sections are."""
    with open_page(server, 390, 844) as browser:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.get(f"{server['admin_url']}/hubs")
        assert not browser.find_element(By.CSS_SELECTOR, "[data-copy]").is_displayed()
        links = browser.find_elements(By.CSS_SELECTOR, "nav a")
        assert all(link.rect["x"] >= 0 and link.rect["x"] + link.rect["width"] <= 390
                   for link in links)  # fmt: skip
        fill(browser, "name", "no-script.example")
        press(browser, "Link")
        until(browser, "no-script.example is linked.")

        browser.get(f"{server['admin_url']}/enrollments/new")
        fill(browser, "id", "plain")
        fill(browser, "attestation", "Symmetric")
        press(browser, "Add")
        until(browser, "plain was added.")
        browser.get(f"{server['admin_url']}/enrollments/plain")
        press(browser, "Delete")
        until(browser, "plain was deleted.")
