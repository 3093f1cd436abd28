"""X.509: a certificate chain and its private key."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from aiodps.attestation.base import ClientCertificate, KeyType, OwnContext, TlsIdentity
from aiodps.attestation.memory_file import as_file
from aiodps.attestation.pem import (
    Password,
    PrivateKey,
    load_certificates,
    load_private_key,
    resolve_password,
)
from aiodps.credential_files import read, warn_if_others_may_read
from aiodps.errors import (
    CertificateError,
    IdentityMismatchError,
    PrivateKeyError,
)

_LEAST_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LONGEST_CN = 64


@dataclass(frozen=True, slots=True)
class X509:
    """A device proves who it is with a certificate; its registration id is the certificate's CN.

    Files are read when the object is made, synchronously; nothing is read later. Comparing and
    hashing are by identity of the certificate, keys are never shown.
    """

    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """What the device sends: leaf, then intermediates; the root is left out. Empty for a context
    of the caller's."""
    _name: str
    _pem: bytes = field(repr=False)
    _key_type: KeyType | None
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def from_files(
        cls,
        certificate: str | Path,
        private_key: str | Path | None = None,
        *,
        password: Password = None,
    ) -> Self:
        """Load PEM or DER files.

        Args:
            certificate: The device's certificate; intermediates may follow, in any order.
            private_key: Its private key; None if it is in the certificate's file.
            password: Opens the key: a text, bytes, or a function that returns one of them. None
                if the key is not encrypted. Nobody is ever asked for it.

        Raises:
            CertificateError: If the certificate cannot be used; `reason` says why.
            PrivateKeyError: If the key cannot be used; `reason` says why.
        """
        certificate_path = Path(certificate)
        key_path = Path(certificate if private_key is None else private_key)
        chain_data = read(certificate_path, kind=CertificateError, what="certificate")
        key_data = read(key_path, kind=PrivateKeyError, what="private key")
        warn_if_others_may_read(key_path)
        return cls._make(
            load_certificates(
                chain_data, source=f"the certificate file {str(certificate_path)!r}"
            ),
            load_private_key(
                key_data, password=password, source=f"the private key file {str(key_path)!r}"
            ),
        )

    @classmethod
    def from_bytes(
        cls, *, certificate: bytes, private_key: bytes, password: Password = None
    ) -> Self:
        """Load PEM or DER bytes; the key never touches the disk on Linux. See `from_files`."""
        return cls._make(
            load_certificates(certificate, source="the certificate"),
            load_private_key(private_key, password=password, source="the private key"),
        )

    @classmethod
    def from_pkcs12(cls, source: str | Path | bytes, *, password: Password = None) -> Self:
        """Load a PKCS#12 bundle (.pfx, .p12) with certificate, key and intermediates.

        Args:
            source: A path, or the bundle itself.
            password: Opens the bundle; None if it has none.

        Raises:
            CertificateError: If it is no such bundle, or holds no certificate.
            PrivateKeyError: If the password is wrong, or there is no key.
        """
        data = (
            source
            if isinstance(source, bytes)
            else read(Path(source), kind=PrivateKeyError, what="PKCS#12")
        )
        secret = None if password is None else resolve_password(password, "the PKCS#12 bundle")
        try:
            bundle = pkcs12.load_pkcs12(data, secret)
        except ValueError as exc:
            raise _bad_bundle(data, secret) from exc

        if not isinstance(bundle.key, PrivateKey):
            raise PrivateKeyError("the PKCS#12 bundle holds no usable key", reason="empty")

        if bundle.cert is None:
            raise CertificateError("the PKCS#12 bundle holds no certificate", reason="empty")

        others = [extra.certificate for extra in bundle.additional_certs]
        return cls._make([bundle.cert.certificate, *others], bundle.key)

    @classmethod
    def from_context(cls, context: ssl.SSLContext) -> Self:
        """Use a TLS context of the caller's with the device's certificate, as for hardware keys.

        `registration_id` has to be given then, and `trust` cannot be.

        Raises:
            ConfigurationError: If the context does not verify peer and host name, or allows
                TLS before 1.2.
        """
        OwnContext(context).check()
        return cls((), "", b"", None, context)

    @classmethod
    def _make(cls, certificates: Sequence[x509.Certificate], key: PrivateKey) -> Self:
        leaf = _leaf(certificates, key)
        _check_strength(key)
        with warnings.catch_warnings(action="ignore"):  # of a CN that is too long: see `check`
            chain = (leaf, *_intermediates(leaf, certificates))
            name = _common_name(leaf)

        pem = b"".join(
            [
                *(certificate.public_bytes(Encoding.PEM) for certificate in chain),
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            ]
        )
        return cls(chain, name, pem, _key_type(key))

    def __repr__(self) -> str:
        """Tell whose certificate it is; never the key."""
        if self._context is not None:
            return "<X509 in an SSLContext>"

        kind = self._key_type.value if self._key_type else "?"
        return f"<X509 {self.registration_id!r} {kind}, {len(self.chain)} certificates>"

    def __reduce__(self) -> tuple[object, ...]:
        """Let process pools carry a device's identity; a context cannot be carried."""
        if self._context is not None:
            raise TypeError("an X509 made from an SSLContext cannot be pickled")

        certificates = [one.public_bytes(Encoding.DER) for one in self.chain]
        return _revive, (certificates, self._name, self._pem, self._key_type)

    @property
    def registration_id(self) -> str | None:
        """The leaf's CN; None if the certificate is in a context of the caller's.

        Raises:
            CertificateError: If the certificate has no CN.
        """
        if not self.chain:
            return None

        if self._name:
            return self._name

        raise CertificateError(
            "the certificate has no common name",
            reason="no_cn",
            hint="the CN has to be the registration id",
        )

    def tls_identity(self) -> TlsIdentity:
        """Return what the device shows in TLS."""
        if self._context is not None:
            return OwnContext(self._context)

        assert self._key_type is not None  # noqa: S101 (only a context has none)
        return ClientCertificate(self._key_type, self._load)

    async def authorization(
        self,
        audience: str,
        *,
        expires: int,
    ) -> None:
        """Return None: a certificate proves the device in the TLS handshake."""

    def _load(self, context: ssl.SSLContext) -> None:
        with as_file(self._pem) as path:
            try:
                # The password function keeps OpenSSL from ever asking on the terminal.
                context.load_cert_chain(path, password=_never_ask)
            except ssl.SSLError as exc:
                raise PrivateKeyError(
                    f"OpenSSL does not take the device's certificate or key: {exc.reason}",
                    reason="weak",
                    hint="use EC P-256, RSA 2048 or more, or Ed25519",
                ) from exc

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """See `Attestation.check`: CN, validity, and whether the chain holds together.

        The CN is compared without case, as the service compares registration ids.

        Raises:
            CertificateError: If a certificate is out of date, or an intermediate is missing.
            IdentityMismatchError: If the CN is not the registration id.
        """
        if not self.chain:
            return

        self._check_name(registration_id)
        now = datetime.fromtimestamp(wall_time, UTC)
        for certificate in self.chain:
            _check_validity(certificate, now)

    def _check_name(self, registration_id: str) -> None:
        name = self.registration_id or ""
        if len(name) > _LONGEST_CN:
            raise IdentityMismatchError(
                f"the certificate's CN has {len(name)} characters, {_LONGEST_CN} is the most",
                reason="cn",
            )

        if name.casefold() != registration_id.casefold():
            raise IdentityMismatchError(
                f"the certificate's CN is {name!a}, the registration id {registration_id!r}",
                reason="certificate",
            )


def _revive(certificates: list[bytes], name: str, pem: bytes, key_type: KeyType) -> X509:
    chain = tuple(x509.load_der_x509_certificate(der) for der in certificates)
    return X509(chain, name, pem, key_type)


def _never_ask() -> str:
    raise RuntimeError("OpenSSL asked for a password")


def _bad_bundle(data: bytes, secret: bytes | None) -> CertificateError | PrivateKeyError:
    if not data.startswith(b"\x30"):
        return CertificateError("this is not a PKCS#12 bundle", reason="not_pem")

    if secret is None:
        return PrivateKeyError(
            "the PKCS#12 bundle needs a password, and none was given", reason="password_missing"
        )

    return PrivateKeyError(
        "the password does not open the PKCS#12 bundle", reason="wrong_password"
    )


def _public_der(public_key: object) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]  # every public key has it


def _common_name(certificate: x509.Certificate) -> str:
    """Return the first CN, empty if there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _leaf(certificates: Sequence[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    """Find the certificate that the key belongs to, wherever it stands in the file."""
    wanted = _public_der(key.public_key())
    for certificate in certificates:
        if _public_der(certificate.public_key()) == wanted:
            return certificate

    raise PrivateKeyError(
        "the private key does not belong to the certificate",
        reason="mismatch",
        hint="`aiodps certs show FILE` on both tells which belong together",
    )


def _intermediates(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Put the intermediates in order, and leave the root out.

    Raises:
        CertificateError: If there are certificates, but not the one that issued the leaf.
    """
    rest = [certificate for certificate in certificates if certificate != leaf]
    chain: list[x509.Certificate] = []
    below = leaf
    while (above := _issuer(below, rest)) is not None:
        rest.remove(above)
        if above.subject == above.issuer:
            break

        chain.append(above)
        below = above

    if not chain and len(rest) == len(certificates) - 1 and rest:
        raise CertificateError(
            f"the certificate was issued by {below.issuer.rfc4514_string()!a}, which is not "
            "among the certificates that are given with it",
            reason="missing_intermediate",
            hint="put the leaf and all its intermediates into one file",
        )

    return chain


def _issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    if certificate.issuer == certificate.subject:
        return None

    for candidate in candidates:
        if candidate.subject == certificate.issuer:
            return candidate

    return None


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins <= now <= ends:
        return

    reason = "expired" if now > ends else "not_yet_valid"
    word = f"expired on {ends:%Y-%m-%d %H:%M}" if now > ends else f"begins {begins:%Y-%m-%d %H:%M}"
    raise CertificateError(
        f"the certificate {certificate.subject.rfc4514_string()!a} {word} UTC",
        reason=reason,
        hint=f"renew it, or set this device's clock (it says {now:%Y-%m-%d %H:%M} UTC)",
    )


def _check_strength(key: PrivateKey) -> None:
    match key:
        case rsa.RSAPrivateKey() if key.key_size < _LEAST_RSA_BITS:
            raise PrivateKeyError(
                f"the RSA key has {key.key_size} bits, {_LEAST_RSA_BITS} is the least",
                reason="weak",
                hint="make a new key: EC P-256, or RSA 2048",
            )
        case ec.EllipticCurvePrivateKey() if not isinstance(key.curve, _CURVES):
            raise PrivateKeyError(
                f"the key is on the curve {key.curve.name}, which TLS servers do not offer",
                reason="unsupported_curve",
                hint="make a new key on P-256",
            )
        case _:
            return


def _key_type(key: PrivateKey) -> KeyType:
    match key:
        case rsa.RSAPrivateKey():
            return KeyType.RSA
        case ed25519.Ed25519PrivateKey():
            return KeyType.ED25519
        case ed448.Ed448PrivateKey():
            return KeyType.ED448
        case _:
            return KeyType.EC
