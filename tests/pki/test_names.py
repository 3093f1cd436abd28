"""What certificates may be called."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import ConfigurationError
from aiodps.pki.names import (
    alternative_names,
    check_common_name,
    check_file_name,
    check_registration_id,
)

REGISTRATION_ID = string.ascii_letters + string.digits + "-._:"


@pytest.mark.parametrize("name", ["a", "My Root, Inc.", "Ä" * 32, " x ", "a" * 64, "-", "日本"])
def test_common_names_are_taken_as_they_are(name: str) -> None:
    """Any printable text of up to 64 bytes is a CN, exactly as given."""
    assert check_common_name(name) == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "empty"),
        ("a" * 65, "65 bytes"),
        ("Ä" * 33, "66 bytes"),
        ("a\n", "printed"),
        ("a\0b", "printed"),
        ("a\x1b[31m", "printed"),
        ("\udc80", "printed"),
    ],
    ids=ascii,
)
def test_bad_common_names_are_refused(name: str, fault: str) -> None:
    """The error says what is wrong, and shows nothing that a terminal would obey."""
    with pytest.raises(ConfigurationError, match=fault) as caught:
        check_common_name(name)

    assert caught.value.setting == "name"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", ["/", "a/b", "/etc/passwd", "..", ".", "../a", "a\\b", "a\0"])
def test_names_that_lead_elsewhere_are_no_file_names(name: str) -> None:
    """A name stays in its directory, on every system."""
    with pytest.raises(ConfigurationError) as caught:
        check_file_name(name)

    assert caught.value.hint


@given(st.text(max_size=70))
def test_laws_of_file_names(name: str) -> None:
    """Whatever is let through is one part of a path and can be encoded."""
    try:
        check_file_name(name)
    except ConfigurationError:
        return

    path = Path("directory") / f"{name}_cert.pem"

    assert path.parent == Path("directory")
    assert path.name == f"{name}_cert.pem"
    assert b"\0" not in name.encode()


@given(st.text(REGISTRATION_ID, max_size=63), st.sampled_from(REGISTRATION_ID[:63]))
def test_laws_of_registration_ids(start: str, end: str) -> None:
    """The service's alphabet is taken, if the last character is alphanumeric or a dash."""
    registration_id = start + end

    assert check_registration_id(registration_id) == registration_id
    assert check_file_name(registration_id) == registration_id


@pytest.mark.parametrize(
    "registration_id", ["a.", "a_", "a:", "a b", "ä", "a/b", "", "a" * 65, "a\n"]
)
def test_bad_registration_ids_are_refused(registration_id: str) -> None:
    """What the service would refuse, or a CN cannot hold, is not certified."""
    with pytest.raises(ConfigurationError):
        check_registration_id(registration_id)


def test_servers_have_dns_names_and_addresses() -> None:
    """A name that is an IP address is written as one."""
    names = alternative_names(["dps.test", "127.0.0.1", "::1"])

    assert names.get_values_for_type(x509.DNSName) == ["dps.test"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [
        "127.0.0.1",
        "::1",
    ]


@pytest.mark.parametrize("names", [[], [""], ["dps.test", "dps.tést"], ["a\0.test"]], ids=ascii)
def test_bad_server_names_are_refused(names: list[str]) -> None:
    """Nothing that a client could read differently gets into a certificate."""
    with pytest.raises(ConfigurationError):
        alternative_names(names)
