"""X.509 attestation: a certificate chain and its private key."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from aiodps.attestation.base import ClientCertificate, KeyType, OwnContext, TlsIdentity
from aiodps.attestation.chain import (
    check_strength,
    check_validity,
    common_name,
    key_type,
    sort_chain,
)
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

_MAX_CN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class X509:
    """X.509 attestation: the registration id is the CN of the device's certificate.

    Files are read synchronously when the object is created, and never again. No method reveals
    the private key.
    """

    chain: tuple[x509.Certificate, ...] = field(repr=False)
    """What the device sends: leaf and intermediates, without the root. Empty for the caller's own
    context."""
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
            certificate: File with the device's certificate and its intermediates, in any order.
            private_key: File with its private key; None if it is in the same file.
            password: Password of the key: a string, bytes, or a function that returns one. None
                if the key is not encrypted. There is never a prompt for it.

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
            source: The path of the bundle, or its content.
            password: Password of the bundle; None if it has none.

        Raises:
            CertificateError: If it is not a PKCS#12 bundle, or contains no certificate.
            PrivateKeyError: If the password is missing or wrong, or there is no key.
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
            raise PrivateKeyError("the PKCS#12 bundle contains no usable key", reason="empty")

        if bundle.cert is None:
            raise CertificateError("the PKCS#12 bundle contains no certificate", reason="empty")

        others = [extra.certificate for extra in bundle.additional_certs]
        return cls._make([bundle.cert.certificate, *others], bundle.key)

    @classmethod
    def from_context(cls, context: ssl.SSLContext) -> Self:
        """Use the caller's own TLS context, which contains the certificate; for hardware keys.

        `registration_id` is required then, and `trust` is not allowed. The context is checked for
        each connection, and `hostname_checks_common_name` is set to False in it: as with any
        other attestation, the server's name has to be in its subject alternative names.

        Raises:
            ConfigurationError: If the context does not verify the server's certificate and host
                name, or allows TLS versions before 1.2.
        """
        OwnContext(context).check()
        return cls((), "", b"", None, context)

    @classmethod
    def _make(cls, certificates: Sequence[x509.Certificate], key: PrivateKey) -> Self:
        with warnings.catch_warnings(action="ignore"):  # of a CN that is too long: see `check`
            chain = sort_chain(certificates, key)
            name = common_name(chain[0])

        check_strength(key)

        pem = b"".join(
            [
                *(certificate.public_bytes(Encoding.PEM) for certificate in chain),
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            ]
        )
        return cls(chain, name, pem, key_type(key))

    def __repr__(self) -> str:
        """Return registration id and key type, never the key."""
        if self._context is not None:
            return "<X509 in an SSLContext>"

        kind = self._key_type.value if self._key_type else "?"
        return f"<X509 {self.registration_id!r} {kind}, {len(self.chain)} certificates>"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the key, for process pools; a context cannot be pickled."""
        if self._context is not None:
            raise TypeError("an X509 made from an SSLContext cannot be pickled")

        certificates = [one.public_bytes(Encoding.DER) for one in self.chain]
        return _revive, (certificates, self._name, self._pem, self._key_type)

    @property
    def registration_id(self) -> str | None:
        """The CN of the leaf; None if the certificate is in the caller's own context.

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
        """Return what the device presents in the TLS handshake."""
        if self._context is not None:
            return OwnContext(self._context)

        assert self._key_type is not None  # noqa: S101 (only a context has none)
        return ClientCertificate(self._key_type, self._load)

    async def authorization(self, audience: str, *, expires: int) -> None:
        """Return None: the TLS handshake authenticates the device."""

    def _load(self, context: ssl.SSLContext) -> None:
        with as_file(self._pem) as path:
            try:
                # Without a password function OpenSSL might prompt for one on the terminal.
                context.load_cert_chain(path, password=_refuse_password)
            except ssl.SSLError as exc:
                raise PrivateKeyError(
                    f"OpenSSL rejects the device's certificate or key: {exc.reason}",
                    reason="weak",
                    hint="use EC P-256, RSA 2048 or more, or Ed25519",
                ) from exc

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Check the CN and the validity of the certificates; see `Attestation.check`.

        The CN is compared without case, as the service compares registration ids.

        Raises:
            CertificateError: If a certificate has expired, or is not valid yet.
            IdentityMismatchError: If the CN is not the registration id.
        """
        if not self.chain:
            return

        self._check_name(registration_id)
        now = datetime.fromtimestamp(wall_time, UTC)
        for certificate in self.chain:
            check_validity(certificate, now)

    def _check_name(self, registration_id: str) -> None:
        name = self.registration_id or ""
        if len(name) > _MAX_CN_CHARACTERS:
            raise IdentityMismatchError(
                f"the CN has {len(name)} characters, the maximum is {_MAX_CN_CHARACTERS}",
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


def _refuse_password() -> str:
    raise RuntimeError("OpenSSL asked for a password")


def _bad_bundle(data: bytes, secret: bytes | None) -> CertificateError | PrivateKeyError:
    if not data.startswith(b"\x30"):
        return CertificateError("the data is not a PKCS#12 bundle", reason="not_pem")

    if secret is None:
        return PrivateKeyError(
            "the PKCS#12 bundle is encrypted, and no password was given", reason="password_missing"
        )

    return PrivateKeyError(
        "the password does not decrypt the PKCS#12 bundle", reason="wrong_password"
    )
