"""Issuing of certificates: roots, intermediates, devices, proofs of possession, servers.

All of them pass OpenSSL's strict verification, which Python 3.13 uses by default: subject and
authority key identifiers, critical basic constraints and key usage. A leaf is for clients or for
servers, never for both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aiodps.errors import CertificateError, ConfigurationError, PrivateKeyError
from aiodps.input_files.certificates import MAX_COMMON_NAME
from aiodps.input_files.private_keys import PrivateKey
from aiodps.pki.credential import (
    Credential,
    KeyType,
    extension,
    is_ca,
    is_root,
    new_private_key,
)
from aiodps.pki.names import (
    alternative_names,
    check_common_name,
    check_registration_id,
)

ROOT_DAYS = 3650.0
INTERMEDIATE_DAYS = 1825.0
LEAF_DAYS = 365.0
VERIFICATION_DAYS = 7.0
MAX_DAYS = 36_500.0

CLOCK_SKEW = dt.timedelta(hours=1)
"""Time by which new certificates are backdated, for devices and servers with a slow clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority(Credential):
    """A CA: a credential that issues others.

    No certificate outlives its issuer: a later end is cut to the issuer's. In each method `days`
    is the validity from now on, and `key_type` the kind of key to generate.
    """

    def __post_init__(self) -> None:
        """Refuse a certificate or key that cannot issue valid certificates.

        Raises:
            CertificateError: If the certificate is not a CA's.
            PrivateKeyError: If the private key belongs to another certificate.
        """
        if not is_ca(self.certificate):
            raise CertificateError(
                f"the certificate {self.name!r} is not a CA",
                reason="not_a_ca",
                hint="issue from a root or an intermediate",
            )

        if self.certificate.public_key() != self.private_key.public_key():
            raise PrivateKeyError(
                f"the private key does not belong to the CA certificate {self.name!r}",
                reason="mismatch",
                hint="give the key that was made together with the certificate",
            )

    @classmethod
    def root(cls, name: str, *, key_type: KeyType = "ec", days: float = ROOT_DAYS) -> Self:
        """Make a self-signed CA; its CN is the name.

        Raises:
            ConfigurationError: If the name or the days are invalid.
        """
        key = new_private_key(key_type)
        builder = _builder(None, check_common_name(name), key.public_key(), days=days)
        return cls(certificate=_sign_ca(builder, key), private_key=key)

    def intermediate(
        self, name: str, *, key_type: KeyType = "ec", days: float = INTERMEDIATE_DAYS
    ) -> Authority:
        """Issue a CA below this one; its CN is the name.

        Raises:
            ConfigurationError: If the name or the days are invalid.
            CertificateError: If this CA has expired.
        """
        key = new_private_key(key_type)
        builder = _builder(self, check_common_name(name), key.public_key(), days=days)
        return Authority(
            certificate=_sign_ca(builder, self.private_key),
            private_key=key,
            intermediates=self._sent_below(),
        )

    def device(
        self,
        registration_id: str,
        *,
        key_type: KeyType = "ec",
        days: float = LEAF_DAYS,
        private_key: PrivateKey | None = None,
    ) -> Credential:
        """Issue a device's certificate; its CN is the registration id.

        Args:
            registration_id: 64 characters at most, to fit into a CN.
            key_type: The kind of key to make.
            days: Validity from now on.
            private_key: A key to certify, as in a renewal; None for a new one.

        Raises:
            ConfigurationError: If the registration id or the days are invalid.
            CertificateError: If this CA has expired.
        """
        key = private_key or new_private_key(key_type)
        return self._credential(self.certify(registration_id, key.public_key(), days=days), key)

    def certify(
        self,
        registration_id: str,
        public_key: CertificatePublicKeyTypes,
        *,
        days: float = LEAF_DAYS,
    ) -> x509.Certificate:
        """Issue a device's certificate for a key that the device keeps, as of its CSR.

        Raises:
            ConfigurationError: If the registration id or the days are invalid.
            CertificateError: If this CA has expired.
        """
        name = check_registration_id(registration_id)
        builder = _builder(self, name, public_key, days=days)
        return self._sign_leaf(builder, public_key, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def verification(self, code: str, *, days: float = VERIFICATION_DAYS) -> Credential:
        """Issue the proof of possession: a leaf whose CN is the verification code.

        Source: Microsoft Learn, "How to verify X.509 CA certificates with DPS".

        Raises:
            ConfigurationError: If the code or the days are invalid.
            CertificateError: If this CA has expired.
        """
        key = new_private_key("ec")
        public_key = key.public_key()
        builder = _builder(self, check_common_name(code), public_key, days=days)
        leaf = self._sign_leaf(builder, public_key, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._credential(leaf, key)

    def server(
        self,
        names: Sequence[str],
        *,
        key_type: KeyType = "ec",
        days: float = LEAF_DAYS,
        private_key: PrivateKey | None = None,
    ) -> Credential:
        """Issue a server's certificate.

        Args:
            names: DNS names and IP addresses it is reached by. Clients look at nothing else; the
                first becomes the CN too, cut to what a CN takes.
            key_type: The kind of key to make.
            days: Validity from now on.
            private_key: A key to certify, as in a renewal; None for a new one.

        Raises:
            ConfigurationError: If there is no name, one is not ASCII, or the days are invalid.
            CertificateError: If this CA has expired.
        """
        key = private_key or new_private_key(key_type)
        public_key, alternatives = key.public_key(), alternative_names(names)
        builder = _builder(self, names[0][:MAX_COMMON_NAME], public_key, days=days)
        builder = builder.add_extension(alternatives, critical=False)
        leaf = self._sign_leaf(builder, public_key, usage=ExtendedKeyUsageOID.SERVER_AUTH)
        return self._credential(leaf, key)

    def _sign_leaf(
        self,
        builder: x509.CertificateBuilder,
        public_key: CertificatePublicKeyTypes,
        *,
        usage: x509.ObjectIdentifier,
    ) -> x509.Certificate:
        # RSA suites without forward secrecy encrypt with the key; all others only sign.
        key_usage = _key_usage(
            digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey)
        )
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        return builder.sign(self.private_key, _digest(self.private_key))

    def _credential(self, leaf: x509.Certificate, key: PrivateKey) -> Credential:
        return Credential(certificate=leaf, private_key=key, intermediates=self._sent_below())

    def _sent_below(self) -> tuple[x509.Certificate, ...]:
        """Return the intermediates of the certificates that this CA issues."""
        return () if is_root(self.certificate) else (self.certificate, *self.intermediates)


def _builder(
    issuer: Authority | None, name: str, public_key: CertificatePublicKeyTypes, *, days: float
) -> x509.CertificateBuilder:
    """Begin a certificate; without an issuer, it is to be signed with its own key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    if issuer is not None and issuer.certificate.subject == subject:
        raise ConfigurationError(
            f"the name {issuer.name!r} is that of the issuer",
            setting="name",
            hint="give each certificate of a chain its own name",
        )

    starts, ends = _validity(issuer, days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key_identifier(issuer, public_key), critical=False)
    )


def _sign_ca(builder: x509.CertificateBuilder, signing_key: PrivateKey) -> x509.Certificate:
    builder = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    ).add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.sign(signing_key, _digest(signing_key))


def _validity(issuer: Authority | None, *, days: float) -> tuple[dt.datetime, dt.datetime]:
    if not 0 < days <= MAX_DAYS:
        raise ConfigurationError(
            f"a certificate cannot be valid for {days!r} days",
            setting="days",
            hint=f"give a number over 0 and up to {MAX_DAYS:.0f}",
        )

    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    starts, ends = now - CLOCK_SKEW, now + dt.timedelta(days=days)
    if issuer is None:
        return starts, ends

    certificate = issuer.certificate
    if certificate.not_valid_after_utc <= now:
        raise CertificateError(
            f"the CA {issuer.name!r} expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
            reason="expired",
            hint="make a new CA and enroll it; certificates of an expired one are refused",
        )

    return max(starts, certificate.not_valid_before_utc), min(
        ends, certificate.not_valid_after_utc
    )


def _authority_key_identifier(
    issuer: Authority | None, public_key: CertificatePublicKeyTypes
) -> x509.AuthorityKeyIdentifier:
    """Name the issuer's key as the issuer's own certificate does, which may be foreign."""
    stated = extension(issuer.certificate, x509.SubjectKeyIdentifier) if issuer else None
    if stated is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(stated)

    key = issuer.private_key.public_key() if issuer else public_key
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | None:
    match key:
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            return None
        case ec.EllipticCurvePrivateKey(curve=ec.SECP384R1() | ec.SECP521R1()):
            return hashes.SHA384()
        case _:
            return hashes.SHA256()


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
