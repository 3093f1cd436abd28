"""The CAs that issue certificates to devices: a root for each namespace, a CA for each policy.

Source: Microsoft Learn, "Managed CA hierarchy" of Azure Device Registry: the CAs have keys on
P-384; the answer to a device has the leaf first, each certificate issued by the next one.
"""

from __future__ import annotations

import base64
import re
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.state.credentials import from_document, to_document
from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority
from aiodps.pki.authority import MAX_DAYS

ISSUED_DAYS: Final = 30.0
"""The default validity of a device's certificate."""
_CA_KEY: Final = "ec384"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]")


class Issuers:
    """The CAs of an instance; each is made when it issues for the first time.

    Args:
        days: Validity of a device's certificate.
        store: Keeps them over a restart; None for memory alone.

    Raises:
        ConfigurationError: If the days are out of range.
    """

    def __init__(self, *, days: float = ISSUED_DAYS, store: Store | None = None) -> None:
        if not 0 < days <= MAX_DAYS:
            raise ConfigurationError(
                f"issued_days is {days}, which is out of range",
                setting="issued_days",
                hint=f"give a number over 0 and up to {MAX_DAYS:.0f}",
            )

        self.days: Final = days
        """Validity of a device's certificate."""
        self._store = store or MemoryStore()
        with reading(Kind.ISSUER):
            kept = self._store.load(Kind.ISSUER)
            self._authorities = {key: from_document(Authority, each) for key, each in kept}

    def issue(
        self, csr: x509.CertificateSigningRequest, *, registration_id: str, policy: IssuancePolicy
    ) -> tuple[str, ...]:
        """Issue a certificate; return it and the CAs above it, up to the root, as base64 of DER.

        Args:
            csr: Of the device, checked.
            registration_id: The CN.
            policy: Of its enrollment.
        """
        issuer = self.authority(policy)
        leaf = issuer.certify(registration_id, csr.public_key(), days=self.days)
        above = (issuer.certificate, self.root(policy).certificate)
        ders = (each.public_bytes(Encoding.DER) for each in (leaf, *above))
        return tuple(base64.b64encode(der).decode() for der in ders)

    def authority(self, policy: IssuancePolicy) -> Authority:
        """Return the CA of a policy, which signs the certificates of devices."""
        names = (policy.namespace, policy.certificate_authority, policy.name)
        key = "/".join(name or "" for name in names)
        issuer, name = self.root(policy), f"{_part(policy.name)} issuing CA - tests only"
        return self._find(key) or self._keep(key, issuer.intermediate(name, key_type=_CA_KEY))

    def root(self, policy: IssuancePolicy) -> Authority:
        """Return the root of a policy's namespace, for an IoT hub to trust."""
        key = policy.namespace or ""
        name = f"{_part(policy.namespace or 'default')} root CA - tests only"
        return self._find(key) or self._keep(key, Authority.root(name, key_type=_CA_KEY))

    def _find(self, key: str) -> Authority | None:
        return self._authorities.get(key.lower())

    def _keep(self, key: str, authority: Authority) -> Authority:
        self._authorities[key.lower()] = authority
        self._store.put(Kind.ISSUER, key.lower(), partial(to_document, authority))
        return authority


def _part(name: str) -> str:
    """Return as much of a name as fits into a CN."""
    return _NOT_IN_A_NAME.sub("-", name)[:40]
