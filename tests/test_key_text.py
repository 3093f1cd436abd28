"""Text that may be a key is recognized, wherever it was given by mistake."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import root

from aiodps.errors import ConfigurationError
from aiodps.key_text import HIDDEN, is_content, is_key, shown, without_keys

PEM = root().private_key_pem.decode()
ONE_LINE = PEM.replace("\n", "\\n")
BODY = "".join(PEM.splitlines()[1:-1])
SYMMETRIC = base64.b64encode(hashlib.sha512(b"a").digest()).decode()
URI = "pkcs11:token=T;object=O?pin-value=1234"
PROXY = "http://user:s3cret@proxy.example:3128"
CONNECTION = f"HostName=h;SharedAccessKeyName=owner;SharedAccessKey={SYMMETRIC}"


@pytest.mark.parametrize(
    "text",
    [PEM, ONE_LINE, PEM.replace("\n", " "), BODY, SYMMETRIC, "ab12" * 16, CONNECTION, URI, PROXY],
)
def test_keys(text: str) -> None:
    """PEM with line ends of any kind, base64, hex digits, connection strings, URLs."""
    assert is_key(text)
    assert shown(text) == HIDDEN


@pytest.mark.parametrize("text", [PEM, ONE_LINE, "a\nb", "a\rb", "a\0b", "x" * 501])
def test_content(text: str) -> None:
    """What cannot be a path, whatever it is."""
    assert is_content(text)


@pytest.mark.parametrize(
    "text",
    [
        "device.pem",
        "/etc/aiodps/certificates/a-folder-with-a-long-name/device-00001_chain.pem",
        "C:\\new\\readme.pem",
        "/var/tests-of-root/test-284/popen-gw1/test_bad_input_is_told_in_word6/MISSING",
        "/home/User1/Certificates/2026/Line7/DeviceKeys/Station4/device",
        "0ne00012ABC",
        "sensor-7",
        "pkcs11:token=T;object=O?pin-source=file:/etc/pin",
        "00005e005301",
        "x" * 100,
        "http://proxy.example:3128",
        "global.azure-devices-provisioning.net",
    ],
)
def test_paths_and_names(text: str) -> None:
    """What people mean to give is shown."""
    assert not is_content(text)
    assert not is_key(text)
    assert shown(text) == ascii(text)[:77] + ("..." if len(text) > 78 else ascii(text)[77:])


@given(st.text(max_size=30).map(lambda text: f"{text}{PEM}{text}"))
def test_no_error_repeats_a_key(text: str) -> None:
    """Whoever writes the message, and however the key got into it."""
    for said in (text, repr(text), repr(text)[:120]):
        error = ConfigurationError(f"{said} is wrong", setting="x")

        assert BODY[:40] not in str(error).replace("\\n", "").replace("\n", "")


def test_messages_without_keys() -> None:
    """The rest of a message stays."""
    assert without_keys(f"a {PEM.strip()} b") == f"a {HIDDEN} b"
    assert SYMMETRIC not in without_keys(f"the string {CONNECTION} is wrong")
    assert without_keys(f"{PROXY} is wrong") == f"http://{HIDDEN}@proxy.example:3128 is wrong"
    assert without_keys("http:/user:s3c/r@t@h") == f"http:/{HIDDEN}@h"
    assert without_keys("PEM begins with -----BEGIN") == "PEM begins with -----BEGIN"
