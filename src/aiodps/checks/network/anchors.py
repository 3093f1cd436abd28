"""Trust anchors: the CAs in use, and which of them a server's certificates lead to."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from aiodps.errors import ProvisioningError
from aiodps.input_files.certificates import UNREADABLE, load_certificates
from aiodps.input_files.origin import Origin
from aiodps.network.trust import Trust, system_paths

_ORIGIN = Origin(what="trust anchors", kind="trust")


def anchors_of(trust: Trust) -> tuple[x509.Certificate, ...]:
    """Return the certificates of the authorities, those that can be read.

    Raises:
        ConfigurationError: If the operating system has none, or does not show them.
    """
    with warnings.catch_warnings(action="ignore"):  # oddities of foreign certificates
        if trust.authorities is not None:
            return tuple(load_certificates(trust.authorities, _ORIGIN))

        found = {one: None for file in _system_files() for one in _readable(file)}
        return tuple(found)


def _system_files() -> Iterator[Path]:
    file, directory = system_paths() or (None, None)
    if file is not None:
        yield Path(file)

    if directory is not None:
        yield from sorted(each for each in Path(directory).iterdir() if each.is_file())


def _readable(file: Path) -> list[x509.Certificate]:
    with contextlib.suppress(ProvisioningError, OSError, *UNREADABLE):
        return load_certificates(file.read_bytes(), _ORIGIN)

    return []


def anchor_of(
    presented: Sequence[x509.Certificate], anchors: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """Return the anchor that presented certificates lead to; None if they lead to none.

    Args:
        presented: What a server sent, leaf first.
        anchors: The trusted CAs.
    """
    known = list(anchors)
    with warnings.catch_warnings(action="ignore"):
        for one in presented:
            for anchor in known:
                if one == anchor or issued(one, by=anchor):
                    return anchor

    return None


def issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    """Whether a certificate was issued by another one, by name and signature."""
    try:
        certificate.verify_directly_issued_by(by)
    except (*UNREADABLE, InvalidSignature):
        return False

    return True


def described(certificate: x509.Certificate, now: datetime) -> dict[str, Any]:
    """Return what identifies a certificate, as plain values."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return {
        "subject": name_of(certificate),
        "issuer": text_of(certificate.issuer),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "valid_from": begins.isoformat(),
        "valid_until": ends.isoformat(),
        "valid": begins <= now <= ends,
    }


def name_of(certificate: x509.Certificate) -> str:
    """Return the subject of a certificate, for people."""
    return text_of(certificate.subject)


def text_of(name: x509.Name) -> str:
    """Return a name for people, at most 100 characters of it."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return name.rfc4514_string()[:100]
    except UNREADABLE:
        return "?"
