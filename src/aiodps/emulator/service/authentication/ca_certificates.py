"""The CA certificates of an instance, and the proof of possession of their keys.

Upload, ask for a verification code, sign a certificate whose CN is the code, hand it in (Microsoft
Learn, "How to do proof-of-possession for X.509 CA certificates with your Device Provisioning
Service"). Each step changes the etag.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import check_etag, etag, verification_code
from aiodps.emulator.protocol.x509 import is_named, is_signed_by, issuer_name, read_certificate
from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading
from aiodps.errors import CertificateError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaCertificate:
    """A CA certificate of an instance."""

    name: str
    """As uploaded; casing is ignored."""
    certificate: x509.Certificate
    verified: bool
    """Whether possession of its key was proved, or it was uploaded as verified."""
    verification_code: str | None = None
    """The CN that the proof must have; None if no code was generated."""
    etag: str
    created: float
    """Seconds since 1970."""
    updated: float
    """Seconds since 1970."""

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {
            "name": self.name,
            "certificate": self.certificate.public_bytes(Encoding.PEM).decode(),
            "verified": self.verified,
            "verification_code": self.verification_code,
            "etag": self.etag,
            "created": self.created,
            "updated": self.updated,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        return cls(**{**document, "certificate": read_certificate(document["certificate"])})


class CaCertificates:
    """The CA certificates of an instance.

    In every method `now` is in seconds since 1970, and `if_match` is the etag that the certificate
    must still have, with or without quotes; None or `*` is any.

    Args:
        rng: Source of etags and verification codes.
        store: Keeps them over a restart; None for memory alone.
    """

    def __init__(self, *, rng: random.Random, store: Store | None = None) -> None:
        self._rng = rng
        self._store = store or MemoryStore()
        with reading(Kind.CERTIFICATE):
            kept = self._store.load(Kind.CERTIFICATE)
            self._by_name = {key: CaCertificate.from_json(each) for key, each in kept}

        self._index()

    def __iter__(self) -> Iterator[CaCertificate]:
        """Iterate over all certificates, in the order of their upload."""
        return iter(self._by_name.values())

    def upload(
        self,
        name: str,
        certificate: x509.Certificate | str | bytes,
        *,
        verified: bool = False,
        if_match: str | None = None,
        now: float,
    ) -> CaCertificate:
        """Add or replace a certificate.

        Args:
            name: 1 to 64 letters, digits, `-`, `.` or `_`.
            certificate: PEM, DER, or base64 of either.
            verified: Whether to accept it without a proof of possession.
            if_match: See above; ignored for a new name.
            now: See above.

        Raises:
            Refusal: 400, if name or certificate is invalid.
            Refusal: 412, if the etag does not match.
        """
        if not _NAME.fullmatch(name):
            raise Refusal(ErrorCode.INVALID_REQUEST, f"{name!a} is not a certificate name")

        older = self._by_name.get(name.lower())
        if older is not None:
            check_etag(older.etag, if_match)

        uploaded = CaCertificate(
            name=older.name if older else name,
            certificate=_read(certificate),
            verified=verified,
            etag=etag(rng=self._rng, now=now),
            created=older.created if older else now,
            updated=now,
        )
        self._keep(uploaded)
        return uploaded

    def get(self, name: str, *, if_match: str | None = None) -> CaCertificate:
        """Return one certificate.

        Raises:
            Refusal: 404, if it does not exist.
            Refusal: 412, if the etag does not match.
        """
        found = self._by_name.get(name.lower())
        if found is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"Certificate {name!a} not found.")

        check_etag(found.etag, if_match)
        return found

    def has(self, name: str) -> bool:
        """Whether there is a certificate of this name."""
        return name.lower() in self._by_name

    def of(self, certificate: x509.Certificate) -> tuple[CaCertificate, ...]:
        """Return the entries of a certificate, under any name."""
        return self._by_certificate.get(certificate, ())

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a certificate.

        Raises:
            Refusal: 404, if it does not exist.
            Refusal: 412, if the etag does not match.
        """
        self.get(name, if_match=if_match)
        del self._by_name[name.lower()]
        self._index()
        self._store.delete(Kind.CERTIFICATE, name.lower())

    def generate_verification_code(
        self, name: str, *, if_match: str | None = None, now: float
    ) -> CaCertificate:
        """Generate a verification code, which replaces the previous one.

        Raises:
            Refusal: 404, if it does not exist.
            Refusal: 412, if the etag does not match.
        """
        older = self.get(name, if_match=if_match)
        code = verification_code(rng=self._rng)
        return self._update(older, verified=older.verified, verification_code=code, now=now)

    def verify(
        self,
        name: str,
        proof: x509.Certificate | str | bytes,
        *,
        if_match: str | None = None,
        now: float,
    ) -> CaCertificate:
        """Verify a proof of possession: a certificate with the code as CN, signed by the CA.

        Raises:
            Refusal: 404, if it does not exist.
            Refusal: 412, if the etag does not match.
            Refusal: 400, if the proof is invalid.
        """
        older = self.get(name, if_match=if_match)
        if older.verification_code is None:
            raise Refusal(ErrorCode.INVALID_REQUEST, "No verification code was generated.")

        leaf = _read(proof)
        if not is_named(leaf, older.verification_code):
            raise Refusal(ErrorCode.INVALID_REQUEST, "The subject is not the verification code.")

        if not is_signed_by(leaf, older.certificate):
            raise Refusal(
                ErrorCode.PROOF_OF_POSSESSION,
                f"Proof-Of-Possession failed. Issuer certificate {issuer_name(leaf)!a} cannot be "
                "found in the certificate chain.",
            )

        return self._update(older, verified=True, verification_code=None, now=now)

    def _update(
        self, older: CaCertificate, *, verified: bool, verification_code: str | None, now: float
    ) -> CaCertificate:
        newer = replace(
            older,
            verified=verified,
            verification_code=verification_code,
            etag=etag(rng=self._rng, now=now),
            updated=now,
        )
        self._keep(newer)
        return newer

    def _keep(self, certificate: CaCertificate) -> None:
        key = certificate.name.lower()
        self._by_name[key] = certificate
        self._index()
        self._store.put(Kind.CERTIFICATE, key, certificate.to_json)

    def _index(self) -> None:
        """Note the entries of each certificate, which each request of a device looks for."""
        found: dict[x509.Certificate, tuple[CaCertificate, ...]] = {}
        for each in self:
            found[each.certificate] = (*found.get(each.certificate, ()), each)

        self._by_certificate = found
        self.all: tuple[x509.Certificate, ...] = tuple(found)
        """Each certificate once."""


def _read(certificate: x509.Certificate | str | bytes) -> x509.Certificate:
    try:
        return read_certificate(certificate)
    except CertificateError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, "The certificate cannot be read.") from exc
