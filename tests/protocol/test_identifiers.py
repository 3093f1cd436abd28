"""Names are taken as the service takes them, and nothing else gets into a URL or a topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import ConfigurationError
from aiodps.protocol.identifiers import (
    audience,
    check_api_version,
    check_endpoint,
    check_id_scope,
    check_operation_id,
    check_port,
    check_registration_id,
    is_azure,
)


@pytest.mark.parametrize("good", ["0ne00012ABC", "0ne00000000", "a", "x" * 128])
def test_id_scopes(good: str) -> None:
    """An id scope is an opaque text of harmless characters."""
    assert check_id_scope(good) == good


@pytest.mark.parametrize(
    "bad",
    ["", None, "x" * 1024, "a/b", "a\r\nb", "0ne 1", "0néa", "0ne\n", 7],
    ids=["empty", "none", "1kB", "slash", "crlf", "space", "non-ascii", "newline", "number"],
)
def test_bad_id_scopes(bad: object) -> None:
    """C01: what cannot be an id scope is refused by name, and shown briefly."""
    with pytest.raises(ConfigurationError) as caught:
        check_id_scope(bad)

    assert caught.value.setting == "id_scope"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "good", ["dev-1", "Sensor.7", "a:b_c", "x" * 128, "d-", "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6"]
)
def test_registration_ids(good: str) -> None:
    """C03: letters of both cases, digits and four marks; the last one a letter, digit or dash."""
    assert check_registration_id(good) == good


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("", "is empty"),
        ("x" * 129, "has 129 characters"),
        ("dev.", "ends in '.'"),
        ("a/b", "has '/' at position 1"),
        ("a#", "has '#' at position 1"),
        ("+a", "has '+' at position 0"),
        ("a\0", "has '\\x00' at position 1"),
        ("dev\n", "has '\\n' at position 3"),
        ("🚀", "has '\\U0001f680' at position 0"),
        ("../../x", "has '/' at position 2"),
        ("%2e%2e", "has '%' at position 0"),
        (None, "is not a string"),
    ],
)
def test_bad_registration_ids(bad: object, fault: str) -> None:
    """C02, C04: the message names what is wrong and where."""
    with pytest.raises(ConfigurationError, match="registration id") as caught:
        check_registration_id(bad)

    assert caught.value.setting == "registration_id"
    assert fault in caught.value.message


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("global.azure-devices-provisioning.net",) * 2,
        ("localhost",) * 2,
        ("127.0.0.1",) * 2,
        ("[::1]", "::1"),
    ],
)
def test_endpoints(given: str, host: str) -> None:
    """An endpoint is a bare host; IPv6 comes in brackets and is dialled without."""
    assert check_endpoint(given) == host


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("https://dps.test", "has a scheme"),
        ("dps.test:443", "has a port"),
        ("dps.test/x", "has a path"),
        ("me@dps.test", "has user information"),
        ("dps%2Ftest", "has a percent escape"),
        ("dps.test.", "is not a host name"),
        ("dрs.test", "non-ASCII"),
        ("::1", "IPv6 address without brackets"),
        ("[zz]", "is not a host name"),
        ("", "is not a host name"),
        ("-a.test", "is not a host name"),
        (None, "is not a string"),
    ],
)
def test_bad_endpoints(bad: object, fault: str) -> None:
    """C05: what is no bare host is refused, and the message says what it has."""
    with pytest.raises(ConfigurationError) as caught:
        check_endpoint(bad)

    assert caught.value.setting == "endpoint"
    assert fault in caught.value.message


@given(st.text())
def test_nothing_that_passes_could_break_out_of_a_path(text: str) -> None:
    """Whatever passes has no character that means something in a URL path or a topic."""
    for check in (check_id_scope, check_registration_id, check_endpoint):
        try:
            taken = check(text)
        except ConfigurationError:
            continue

        assert not set(taken) & set("/?#%&$+ \r\n\0")


def test_audience() -> None:
    """What a SAS token is for, as the service writes it."""
    assert audience("0ne00000000", "dev-1") == "0ne00000000/registrations/dev-1"


@pytest.mark.parametrize("good", [1, 443, 8883, 65535])
def test_ports(good: int) -> None:
    """Every TCP port can be connected to, but 0."""
    assert check_port(good) == good


@pytest.mark.parametrize("bad", [0, -1, 65536, 443.0, "443", True, None])
def test_bad_ports(bad: object) -> None:
    """What is not a port is named, with those of the service."""
    with pytest.raises(ConfigurationError) as caught:
        check_port(bad)

    assert caught.value.setting == "port"
    assert "443" in str(caught.value.hint)


@pytest.mark.parametrize("good", ["2021-10-01", "2025-07-01-preview"])
def test_api_versions(good: str) -> None:
    """A date as Azure writes it."""
    assert check_api_version(good) == good


@pytest.mark.parametrize(
    "bad",
    ["", "2021", "latest", "2021-10-01&x=1", "2019-99-99", "2021-02-30-preview", 20211001, None],
)
def test_bad_api_versions(bad: object) -> None:
    """Anything else is an error of ours before anything is sent."""
    with pytest.raises(ConfigurationError, match="api-version"):
        check_api_version(bad)


def test_operation_ids() -> None:
    """None is none; what would not be safe in a URL is refused by name."""
    check_operation_id(None)
    check_operation_id("4.d0a67b8b4d8b7a5e.e2c6b2b7")
    with pytest.raises(ConfigurationError) as caught:
        check_operation_id("a/b")

    assert caught.value.setting == "operation_id"


@pytest.mark.parametrize(
    ("endpoint", "azure"),
    [
        ("global.azure-devices-provisioning.net", True),
        ("Global.Azure-Devices-Provisioning.CN", True),
        ("azure-devices-provisioning.net.example.org", False),
        ("localhost", False),
    ],
)
def test_azure_endpoints(endpoint: str, *, azure: bool) -> None:
    """By their domain, in any case."""
    assert is_azure(endpoint) is azure
