"""TLS: the handshake that provisioning does, and why it failed.

The dialler connects, as it does for every registration. Only if the server is refused, a second
connection shows what it presents.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509

from aiodps.checks.model.finding import Finding, bad, good, of_error
from aiodps.checks.model.plan import Plan
from aiodps.checks.network.anchors import anchor_of, anchors_of, name_of, text_of
from aiodps.checks.network.look import Presented, look_at
from aiodps.checks.network.middleboxes import product_in
from aiodps.errors import (
    ConnectionLostError,
    ProvisioningError,
    ProxyError,
    ServerIdentityError,
    TlsError,
    TlsProtocolError,
    TransportTimeoutError,
)
from aiodps.input_files.certificates import UNREADABLE
from aiodps.models import Phase
from aiodps.network.dial import Connection, dial
from aiodps.network.server_identity import presented_certificates
from aiodps.protocol.identifiers import is_azure

_UNTRUSTED: Final = {"untrusted_root", "incomplete_chain", "self_signed"}
_HTTP: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LOCATION: Final = re.compile(rb"\r\nlocation: *([^\r\n]{1,100})", re.IGNORECASE)
_BROWSER: Final = (
    "open a browser in this network: a captive portal wants to be logged in to; if there is none, "
    "check endpoint and port, and ask the network's administrator for a proxy"
)
_EXCEPTION: Final = (
    "ask the network's administrator to leave TLS connections to this host alone: a device's "
    "certificate cannot pass a proxy that opens them"
)


async def check_tls(
    plan: Plan, port: int, address: str
) -> tuple[list[Finding], Connection | None]:
    """Do what provisioning does until the handshake is complete; the caller closes the connection.

    Args:
        plan: What is checked.
        port: TCP port.
        address: An address that accepts connections, for a second look at a refused server.

    Returns:
        A finding about the proxy, if there is one, and one about TLS, if it got so far.
    """
    name = f"tls {port}"
    try:
        connection = await dial(plan.endpoint(port))
    except ProvisioningError as error:
        if error.phase is Phase.PROXY:
            return [of_proxy(port, error)], None

        return [*_tunnel(plan, port), await _refused(name, error, plan, port, address)], None

    return [*_tunnel(plan, port), _established(name, connection, plan)], connection


def _tunnel(plan: Plan, port: int) -> list[Finding]:
    """Return that the proxy lets connections through, if there is one."""
    return [] if plan.proxy is None else [good(f"proxy {port}", f"{plan.proxy} lets it through")]


async def _refused(
    name: str, error: ProvisioningError, plan: Plan, port: int, address: str
) -> Finding:
    match error:
        case TransportTimeoutError():
            return bad(name, "silent", error.message, error.hint)
        case TlsError() | ConnectionLostError():
            return explain(name, error, await look_at(plan, port, address), plan=plan)
        case _:
            return of_error(name, error)


def of_proxy(port: int, error: ProvisioningError) -> Finding:
    """Return why a proxy does not let connections through."""
    match error:
        case ProxyError(reason=reason):
            fault = f"proxy_{reason}"
        case TransportTimeoutError():
            fault = "proxy_silent"
        case _:
            fault = "proxy_closed"

    return bad(f"proxy {port}", fault, error.message, error.hint)


def _established(name: str, connection: Connection, plan: Plan) -> Finding:
    presented = presented_certificates(connection.socket)
    product = product_in(presented)
    if product is not None:
        return _intercepted(name, product, presented)

    anchor = anchor_of(presented, anchors_of(plan.trust))
    root = "" if anchor is None else f", root {name_of(anchor)!a}"
    until = f", valid until {presented[0].not_valid_after_utc:%Y-%m-%d}" if presented else ""
    return good(name, f"{connection.socket.version()}{root}{until}")


def explain(name: str, error: ProvisioningError, presented: Presented, *, plan: Plan) -> Finding:
    """Say why a handshake failed.

    Args:
        name: Of the check.
        error: What the dialler raised.
        presented: What the server presented to the second look.
        plan: What is checked.
    """
    if presented.plain:
        return _not_tls(name, presented.plain)

    match error:
        case ServerIdentityError(reason=reason) if reason in _UNTRUSTED and presented.certificates:
            return _untrusted(name, error, presented.certificates, plan.host)
        case TlsProtocolError(reason="version") if presented.version:
            return _version(name, presented.version)
        case ConnectionLostError():
            return _closed(name, error, presented)
        case _:
            return of_error(name, error)


def _not_tls(name: str, plain: bytes) -> Finding:
    status = _HTTP.match(plain)
    if status is None:
        return bad(
            name,
            "not_tls",
            f"the answer is not TLS; it begins with {plain[:24]!r}",
            "check the port: 443 for rest, 8883 for mqtt",
        )

    location = _LOCATION.search(plain)
    to = f" to {location[1].decode('ascii', 'replace')}" if location else ""
    seen = f"the answer is not TLS, but plain HTTP, status {status[1].decode()}{to}"
    return bad(name, "captive_portal", seen, _BROWSER)


def _untrusted(
    name: str, error: ServerIdentityError, certificates: Sequence[x509.Certificate], host: str
) -> Finding:
    product = product_in(certificates)
    leaf = certificates[0]
    if product is not None or (is_azure(host) and covers(leaf, host)):
        return _intercepted(name, product, certificates)

    if covers(leaf, host):
        return of_error(name, error)

    seen = (
        f"another server answers: its certificate is for {_for(leaf)}, and was issued by "
        f"{text_of(leaf.issuer)!a}, which is not trusted"
    )
    return bad(name, "captive_portal", seen, _BROWSER)


def _intercepted(
    name: str, product: str | None, certificates: Sequence[x509.Certificate]
) -> Finding:
    issuer = text_of(certificates[-1].issuer)
    who = "a proxy" if product is None else product
    seen = f"{who} intercepts TLS: the server's certificate was issued by {issuer!a}"
    return bad(name, "intercepting_proxy", seen, _EXCEPTION)


def _version(name: str, version: str) -> Finding:
    return bad(
        name,
        "version",
        f"the server speaks {version} at most",
        "DPS speaks TLS 1.2 and newer: check the endpoint, and look for an old proxy",
    )


def _closed(name: str, error: ConnectionLostError, presented: Presented) -> Finding:
    if presented.certificates:
        seen = "the server closes the connection when it has seen the device's certificate"
        return bad(name, "closed", seen, "check that the certificate is valid and enrolled")

    seen = "the connection is closed in the TLS handshake, before any certificate"
    advice = "a firewall may refuse this host by its name: ask the network's administrator"
    return bad(name, "closed", seen, f"{advice}; {error.hint}")


def covers(leaf: x509.Certificate, host: str) -> bool:
    """Whether a certificate is for a host, by its subject alternative names."""
    names = _names(leaf)
    if names is None:
        return False

    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass

    _, _, domain = host.lower().partition(".")
    wanted = {host.lower(), f"*.{domain}"}
    return any(each.lower() in wanted for each in names.get_values_for_type(x509.DNSName))


def _for(leaf: x509.Certificate) -> str:
    names = _names(leaf)
    listed = [] if names is None else [ascii(str(each.value))[:60] for each in names]
    return ", ".join(listed[:3]) or ascii(name_of(leaf))


def _names(leaf: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
