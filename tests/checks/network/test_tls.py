"""Why a handshake failed, told from the error and from what the server presents."""

from __future__ import annotations

import pytest
from cryptography import x509
from tests.certificates import certify
from tests.checks.staged import plan

from aiodps.checks.network.look import Presented
from aiodps.checks.network.tls import covers, explain, of_proxy
from aiodps.errors import (
    ConnectionLostError,
    ServerIdentityError,
    TlsProtocolError,
    TransportTimeoutError,
)
from aiodps.pki import Authority

AZURE = "global.azure-devices-provisioning.net"


def leaf(*names: str, issuer: str = "corporate CA") -> x509.Certificate:
    """Make a server's certificate of a private CA."""
    return certify("server", issuer=Authority.root(issuer), names=names).certificate


def test_azures_name_of_another_ca() -> None:
    """Nobody but an interceptor has a certificate for Azure's name, whatever its product."""
    error = ServerIdentityError("no", reason="incomplete_chain")
    presented = Presented(certificates=(leaf("*.azure-devices-provisioning.net"),))
    finding = explain("tls 443", error, presented, plan=plan(443, host=AZURE))

    assert finding.fault == "intercepting_proxy"
    assert "'CN=corporate CA'" in finding.seen


def test_what_the_device_shows() -> None:
    """A server that shows a certificate and then closes may not like the device's."""
    presented = Presented(certificates=(leaf("h"),))
    finding = explain("tls 443", ConnectionLostError("gone"), presented, plan=plan(443))

    assert finding.fault == "closed"
    assert "device's certificate" in finding.seen


def test_anything_else() -> None:
    """The dialler's own words."""
    error = TlsProtocolError("odd", reason="no_common_cipher")
    finding = explain("tls 443", error, Presented(), plan=plan(443))

    assert (finding.fault, finding.seen) == ("no_common_cipher", "odd")


def test_a_silent_proxy() -> None:
    """What takes too long is said to be the proxy's."""
    assert of_proxy(443, TransportTimeoutError("late")).fault == "proxy_silent"


@pytest.mark.parametrize(
    ("names", "host", "is_covered"),
    [
        (["a.example"], "A.example", True),
        (["*.example"], "a.example", True),
        (["*.example"], "a.b.example", False),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        ([], "a.example", False),
    ],
)
def test_covers(names: list[str], host: str, *, is_covered: bool) -> None:
    """Names and addresses as RFC 6125 has them; a CN does not count."""
    assert covers(leaf(*names), host) is is_covered
