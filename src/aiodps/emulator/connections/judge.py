"""Refusing a client's certificate in the middle of the handshake, with an alert of our choice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from cryptography import x509
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from aiodps.credential_files import UNREADABLE

Judge: TypeAlias = Callable[[x509.Certificate], int | None]
"""Asked about the client's certificate; returns the alert to refuse it with, None to go on."""

ALERTS: Final[Mapping[int, int]] = {
    40: 50,  # handshake_failure: application verification
    42: 28,  # bad_certificate: certificate rejected
    43: 26,  # unsupported_certificate: invalid purpose
    44: 23,  # certificate_revoked
    45: 10,  # certificate_expired
    46: 47,  # certificate_unknown: what OpenSSL has no better word for
    48: 2,  # unknown_ca: no issuer
    80: 17,  # internal_error: out of memory
}
"""Alerts that OpenSSL can be made to send, each with the verification error that makes it."""


class Verdict:
    """Has a judge asked in one handshake; has to live as long as the connection.

    pyOpenSSL's callback can refuse a certificate, but not say why, and OpenSSL makes an internal
    error of that. So a callback of ours stands around it, which needs three of its private names.
    """

    def __init__(self, connection: SSL.Connection, judge: Judge) -> None:
        self._judge = judge
        self._asked = False
        self._alert: int | None = None
        connection.set_verify(SSL.VERIFY_PEER, self._verify)
        helper: Any = connection._verify_helper  # noqa: SLF001 (see above)

        def verify(ok: int, store: Any) -> int:
            taken: int = helper.callback(ok, store)
            if self._alert is not None:
                lib.X509_STORE_CTX_set_error(store, ALERTS[self._alert])

            return taken

        self._callback = ffi.callback("int (*)(int, X509_STORE_CTX *)", verify)
        lib.SSL_set_verify(connection._ssl, SSL.VERIFY_PEER, self._callback)  # noqa: SLF001 (idem)

    def _verify(
        self, _: SSL.Connection, found: crypto.X509, _error: int, depth: int, _ok: int
    ) -> bool:
        """Ask about the leaf, once; OpenSSL comes for each thing that it finds wrong."""
        if depth == 0 and not self._asked:
            self._asked = True
            with contextlib.suppress(*UNREADABLE):
                self._alert = self._judge(found.to_cryptography())

        return self._alert is None
