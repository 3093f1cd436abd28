"""Trust: the certificate authorities that may issue the service's certificate."""

from __future__ import annotations

import functools
import hashlib
import os
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from aiodps.errors import ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read

AZURE_ROOTS = {
    "DigiCert Global Root G2": "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f",
    "Microsoft RSA Root Certificate Authority 2017": (
        "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0"
    ),
}
"""The two roots that Microsoft recommends for DPS and IoT Hub, by SHA-256 fingerprint.

Source: Microsoft Learn, "Migrate IoT Hub resources to a new TLS certificate root".
"""

_HINT = "give a PEM file or PEM bytes, or one of 'azure', 'certifi', 'system'"


@dataclass(frozen=True, slots=True)
class Trust:
    """A set of trusted certificate authorities, ready to be loaded into TLS contexts."""

    KEYWORDS: ClassVar[frozenset[str]] = frozenset({"azure", "certifi", "system"})

    name: str
    """Name of the set, for messages."""
    authorities: bytes | None = field(repr=False)
    """The certificates in DER, concatenated; None for those of the operating system."""

    @staticmethod
    def of(value: Trust | str | bytes | os.PathLike[str] | None) -> Trust:
        """Return the trust that a caller's value stands for; reads files at once.

        Args:
            value: None or "azure" for Azure's two roots, "certifi" for the roots of the certifi
                package, "system" for those of the operating system, a path to a file in PEM or DER
                (any string that is not a keyword is a path), PEM bytes, or a `Trust`.

        Raises:
            ConfigurationError: If it contains no usable certificate.
        """
        match value:
            case Trust():
                return value
            case None | "azure":
                return Trust("azure", _azure_roots())
            case "certifi":
                return Trust("certifi", b"".join(_certifi()))
            case "system":
                system_paths()
                return Trust("system", None)
            case bytes():
                origin = Origin(what="given PEM bytes", kind="trust")
                return Trust(str(origin), _usable(value, origin))
            case str() | os.PathLike():
                origin = Origin.file(value, what="CA file", kind="trust")
                return Trust(str(origin.path), _usable(read(origin), origin))
            case _:
                raise _unusable(f"trust cannot be of type {type(value).__name__!r}")

    def load_into(self, context: ssl.SSLContext) -> None:
        """Load these authorities into a new context, which then trusts no others."""
        if self.authorities is not None:
            context.load_verify_locations(cadata=self.authorities)
            return

        paths = system_paths()
        if paths is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(*paths)


@functools.cache
def _azure_roots() -> bytes:
    """Return Azure's roots, taken from certifi.

    Loading two certificates takes half a millisecond per context, all of certifi takes twenty.
    """
    wanted = {bytes.fromhex(fingerprint): name for name, fingerprint in AZURE_ROOTS.items()}
    found = [der for der in _certifi() if wanted.pop(hashlib.sha256(der).digest(), None)]
    if not wanted:
        return b"".join(found)

    raise ConfigurationError(
        f"the certifi package no longer contains {' and '.join(wanted.values())}",
        setting="trust",
        hint="give the root as a PEM file with trust=, or install a newer aiodps",
    )


def system_paths() -> tuple[str | None, str | None] | None:
    """Return file and directory of the operating system's authorities; None on Windows.

    These are the paths that OpenSSL was built with. Its own function for loading them is not used
    because it obeys SSL_CERT_FILE and SSL_CERT_DIR, and the environment must not decide whom a
    device trusts.
    """
    if sys.platform == "win32":
        return None

    paths = ssl.get_default_verify_paths()
    file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    directory = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if file is None and directory is None:
        raise ConfigurationError(
            "this Python's OpenSSL looks for the system's certificate authorities in "
            f"{paths.openssl_cafile!r} and {paths.openssl_capath!r}, and neither exists",
            setting="trust",
            hint="install the package ca-certificates, or give trust='certifi'",
        )

    return file, directory


def _certifi() -> list[bytes]:
    import certifi  # noqa: PLC0415 (not needed if a file is given)

    origin = Origin(what="certifi package", kind="trust")
    return _ders(Path(certifi.where()).read_bytes(), origin)


def _ders(data: bytes, origin: Origin) -> list[bytes]:
    from aiodps.input_files.certificates import certificate_ders  # noqa: PLC0415 (cryptography)

    return certificate_ders(data, origin)


def _usable(data: bytes, origin: Origin) -> bytes:
    authorities = b"".join(_ders(data, origin))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=authorities)
    except ssl.SSLError as exc:
        raise origin.error(
            "contains a certificate that OpenSSL cannot read",
            reason="not_pem",
            hint="`aiodps certs show FILE` shows what a file contains",
        ) from exc

    return authorities


def _unusable(fault: str) -> ConfigurationError:
    return ConfigurationError(fault, setting="trust", hint=_HINT)
