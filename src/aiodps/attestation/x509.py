"""X.509 attestation: a certificate chain and its private key."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.argument_types import check_type
from aiodps.attestation.base import ClientCertificate, KeyType, OwnContext, TlsIdentity
from aiodps.attestation.chain import (
    check_validity,
    common_name,
    key_type,
    remarks_about,
    sort_chain,
)
from aiodps.attestation.given import Given, Key, parse
from aiodps.attestation.key_reference import KeyReference, refuse_uri
from aiodps.attestation.tls_key import TlsKey, load_into
from aiodps.errors import (
    CertificateError,
    CredentialError,
    IdentityMismatchError,
    PrivateKeyError,
)
from aiodps.input_files.certificates import MAX_COMMON_NAME, load_der
from aiodps.input_files.formats import unexpected
from aiodps.input_files.origin import Origin
from aiodps.input_files.pkcs12 import is_bundle
from aiodps.input_files.private_keys import Password, hidden
from aiodps.input_files.reading import read, warn_if_others_may_read
from aiodps.models import IssuedCredential


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
    _password: bytes | None = field(default=None, repr=False)
    """Of a key that only OpenSSL can decrypt; None if it is not encrypted."""
    _hole: tuple[str, ...] = field(default=(), repr=False)
    """What is wrong with certificates that were given and are not in the chain."""
    _reference: KeyReference | None = field(default=None, repr=False)
    """The key, if it is in a token; None if it is in `_pem`."""

    @classmethod
    def from_files(
        cls,
        certificate: str | Path,
        private_key: str | Path | None = None,
        *,
        password: Password = None,
    ) -> Self:
        """Load PEM, DER or PKCS#12 files.

        A file may be a pipe, which has to be written to its end within ten seconds.

        Args:
            certificate: File with the device's certificate and its intermediates, in any order.
            private_key: File with its private key, or with a reference to a key in a token
                (`PKCS#11 PROVIDER URI`), which OpenSSL reads again for each connection; None if
                it is in the same file.
            password: Password of the key or the PKCS#12 bundle, or PIN of the token: a string,
                bytes, or a function that returns one. None if there is none; there is no prompt.

        Raises:
            CertificateError: If the certificate cannot be used; `reason` says why.
            PrivateKeyError: If the key cannot be used; `reason` says why.
        """
        check_type(certificate, str | Path, "certificate")
        check_type(private_key, str | Path | None, "private_key")
        refuse_uri(private_key)
        password = hidden(_checked(password))
        given = holder = _read(certificate, "certificate file", CertificateError)
        key = None
        if private_key is not None and str(private_key) != str(certificate):
            key = holder = _read(private_key, "private key file", PrivateKeyError)

        leaf, certificates, found = parse(given, key, password)
        if found.is_secret and holder.origin.path is not None:
            warn_if_others_may_read(holder.origin.path)

        return cls._make(leaf, certificates, found)

    @classmethod
    def from_bytes(
        cls, *, certificate: bytes, private_key: bytes, password: Password = None
    ) -> Self:
        """Load PEM, DER or PKCS#12; the key never touches the disk on Linux. See `from_files`."""
        check_type(certificate, bytes, "certificate")
        check_type(private_key, bytes, "private_key")
        password = hidden(_checked(password))
        given = Given(certificate, Origin(what="certificate", kind=CertificateError))
        key = Given(private_key, Origin(what="private key", kind=PrivateKeyError))
        del private_key
        return cls._make(*parse(given, key, password))

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
        check_type(source, str | Path | bytes, "source")
        password, what = hidden(_checked(password)), "PKCS#12 bundle"
        if isinstance(source, bytes):
            given = Given(source, Origin(what=what, kind=CertificateError))
        else:
            given = _read(source, what, CertificateError)

        if is_bundle(given.data):
            return cls._make(*parse(given, None, password))

        raise unexpected(given.data, given.origin, wanted="a PKCS#12 bundle")

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
        check_type(context, ssl.SSLContext, "context")
        OwnContext(context).check()
        return cls((), "", b"", None, context)

    @classmethod
    def from_issued(cls, issued: IssuedCredential) -> Self:
        """Use a certificate that the service issued; an `IssuedCredential` may be given as it is.

        Raises:
            PrivateKeyError: If the caller has the key (`csr=`), or it is another certificate's.
        """
        check_type(issued, IssuedCredential, "issued")
        if issued.key is None:
            raise PrivateKeyError(
                "the issued certificate has no private key here: its request was the caller's",
                reason="no_key",
                hint="give X509 the key and `issued.chain_pem`",
            )

        key = TlsKey(opened=issued.key)
        leaf = key.leaf(
            issued.chain, lambda: "the private key does not belong to the issued certificate"
        )
        return cls._make(leaf, issued.chain, key)

    @classmethod
    def _make(
        cls, leaf: x509.Certificate, certificates: Sequence[x509.Certificate], key: Key
    ) -> Self:
        with warnings.catch_warnings(action="ignore"):  # of a CN that is too long: see `check`
            kind = key_type(leaf)
            chain, hole = sort_chain(leaf, certificates)
            name = common_name(leaf)

        pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain) + key.pem(leaf)
        return cls(
            chain=chain,
            _name=name,
            _pem=pem,
            _key_type=kind,
            _password=key.password,
            _hole=hole,
            _reference=key if isinstance(key, KeyReference) else None,
        )

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
        others = (
            self._name,
            self._pem,
            self._key_type,
            self._password,
            self._hole,
            self._reference,
        )
        return _revive, (certificates, *others)

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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the service may refuse, although it is not an error here.

        A missing intermediate, or a certificate for servers: a refusal repeats it in its hint.
        Computed at each call.
        """
        with warnings.catch_warnings(action="ignore"):  # of names that are too long
            return (*self._hole, *(remarks_about(self.chain) if self.chain else ()))

    def tls_identity(self) -> TlsIdentity:
        """Return what the device presents in the TLS handshake."""
        if self._context is not None:
            return OwnContext(self._context)

        assert self._key_type is not None  # noqa: S101 (only a context has none)
        return ClientCertificate(self._key_type, self._load)

    async def authorization(self, audience: str, *, expires: int) -> None:
        """Return None: the TLS handshake authenticates the device."""

    def _load(self, context: ssl.SSLContext) -> None:
        if self._reference is not None:
            self._reference.load_into(context, self._pem)
            return

        try:
            load_into(context, self._pem, self._password)
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
        if len(name) > MAX_COMMON_NAME:
            raise IdentityMismatchError(
                f"the CN has {len(name)} characters, the maximum is {MAX_COMMON_NAME}",
                reason="cn",
            )

        if name.casefold() != registration_id.casefold():
            raise IdentityMismatchError(
                f"the certificate's CN is {name!a}, the registration id {registration_id!r}",
                reason="certificate",
            )


def _checked(password: Password) -> Password:
    if not callable(password):
        check_type(password, str | bytes | None, "password")

    return password


def _revive(certificates: list[bytes], *others: Any) -> X509:
    name, pem, key_type, password, hole, reference = others
    return X509(
        chain=tuple(load_der(der) for der in certificates),
        _name=name,
        _pem=pem,
        _key_type=key_type,
        _password=password,
        _hole=hole,
        _reference=reference,
    )


def _read(path: str | Path, what: str, kind: type[CredentialError]) -> Given:
    origin = Origin.file(path, what=what, kind=kind)
    return Given(read(origin), origin)
