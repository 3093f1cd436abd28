"""Interceptors are recognised by the issuers that they are known for."""

from __future__ import annotations

import pytest
from tests.certificates import certify, root

from aiodps.checks.network.middleboxes import product_in
from aiodps.pki import Authority


@pytest.mark.parametrize(
    ("issuer", "product"),
    [
        ("Zscaler Intermediate Root CA (zscalertwo.net)", "Zscaler"),
        ("Fortinet CA", "Fortinet FortiGate"),
        ("mitmproxy", "mitmproxy"),
        ("Reset Root CA", None),
        ("Microsoft TLS G2 RSA CA OCSP 04", None),
    ],
)
def test_product(issuer: str, product: str | None) -> None:
    """Words count: `eset` is not in "Reset"."""
    leaf = certify("server", issuer=Authority.root(issuer), names=["h"]).certificate

    assert product_in([leaf, root().certificate]) == product
