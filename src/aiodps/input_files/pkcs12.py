"""PKCS#12 bundles (.pfx, .p12): certificate, private key and intermediates in one file."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from aiodps.errors import PrivateKeyError, ProvisioningError
from aiodps.input_files.der import is_cut_off, is_der
from aiodps.input_files.formats import PKCS12, advice, of_der
from aiodps.input_files.origin import Origin
from aiodps.input_files.private_keys import Password, PrivateKey, resolve_password


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of a bundle."""

    certificates: list[x509.Certificate]
    """The key's own first, if it is there."""
    private_key: PrivateKey | None = field(repr=False)
    """None if there is none for TLS."""


def is_bundle(data: bytes) -> bool:
    """Whether data is a PKCS#12 bundle, whole."""
    return is_der(data) and of_der(data) is PKCS12 and not is_cut_off(data)


def open_bundle(data: bytes, password: Password, origin: Origin) -> Bundle:
    """Open a bundle.

    Raises:
        PrivateKeyError: If it cannot be read, or its password is missing or wrong.
    """
    origin = dataclasses.replace(origin, kind=PrivateKeyError)
    # Without a password, some write none and others an empty one.
    guesses = (None, b"") if password is None else (b"",)
    failure: Exception | None = None
    for guess in guesses:
        try:
            with warnings.catch_warnings(action="ignore"):  # of encodings that are not DER
                bundle = pkcs12.load_pkcs12(
                    data, guess if password is None else resolve_password(password, origin)
                )
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            failure = exc
        else:
            return _content(bundle)

    raise _unopened(failure, password, origin) from failure


def _content(bundle: pkcs12.PKCS12KeyAndCertificates) -> Bundle:
    own = [] if bundle.cert is None else [bundle.cert.certificate]
    others = [extra.certificate for extra in bundle.additional_certs]
    key = bundle.key
    return Bundle([*own, *others], key if isinstance(key, PrivateKey) else None)


def _unopened(failure: Exception | None, password: Password, origin: Origin) -> ProvisioningError:
    if password is None:
        return origin.error(
            "is an encrypted PKCS#12 bundle, and no password was given",
            reason="password_missing",
            hint="give password= (--key-password-file)",
        )

    if "password" in str(failure).lower():
        return origin.error(
            "is a PKCS#12 bundle that the password does not decrypt",
            reason="wrong_password",
            hint="check the password; in a file, only the first line counts",
        )

    return origin.error(
        "is a PKCS#12 bundle that cannot be read",
        reason="unreadable",
        hint=advice(PKCS12.advice, origin),
    )
