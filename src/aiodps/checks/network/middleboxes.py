"""Products that intercept TLS, recognised by the names in the certificates that they issue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cryptography import x509

from aiodps.checks.network.anchors import text_of

_PRODUCTS: Final = {
    "avast": "Avast",
    "barracuda": "Barracuda",
    "bitdefender": "Bitdefender",
    "blue coat": "Symantec (Blue Coat)",
    "bluecoat": "Symantec (Blue Coat)",
    "burp": "Burp Suite",
    "portswigger": "Burp Suite",
    "cato networks": "Cato Networks",
    "charles proxy": "Charles",
    "check point": "Check Point",
    "cisco umbrella": "Cisco Umbrella",
    "cloudflare gateway": "Cloudflare Gateway",
    "gateway ca - cloudflare": "Cloudflare Gateway",
    "do_not_trust_fiddlerroot": "Fiddler",
    "eset": "ESET",
    "forcepoint": "Forcepoint",
    "websense": "Forcepoint",
    "fortigate": "Fortinet FortiGate",
    "fortinet": "Fortinet FortiGate",
    "iboss": "iboss",
    "kaspersky": "Kaspersky",
    "mcafee": "Skyhigh (McAfee) Web Gateway",
    "skyhigh": "Skyhigh (McAfee) Web Gateway",
    "menlo security": "Menlo Security",
    "mitmproxy": "mitmproxy",
    "netskope": "Netskope",
    "goskope": "Netskope",
    "palo alto": "Palo Alto Networks",
    "pfsense": "pfSense",
    "sonicwall": "SonicWall",
    "sophos": "Sophos",
    "squid": "Squid",
    "untangle": "Untangle",
    "watchguard": "WatchGuard",
    "zscaler": "Zscaler",
}
"""By a part of a name, in lower case. Vendors' defaults; an administrator may choose any name."""


def product_in(certificates: Iterable[x509.Certificate]) -> str | None:
    """Return the product that issued certificates; None if no issuer is a known one."""
    names = " / ".join(text_of(each.issuer) for each in certificates).lower()
    words = f" {names.replace('=', ' ').replace(',', ' ')} "
    for part, product in _PRODUCTS.items():
        if f" {part}" in words:
            return product

    return None
