"""Credentials as documents of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from aiodps.emulator.state.store import Document
from aiodps.pki import Credential

_Credential = TypeVar("_Credential", bound=Credential)


def to_document(credential: Credential) -> Mapping[str, str]:
    """Write a certificate and its private key."""
    return {
        "certificate": credential.certificate_pem.decode(),
        "private_key": credential.private_key_pem.decode(),
    }


def from_document(kind: type[_Credential], document: Document) -> _Credential:
    """Read a credential or authority; its intermediates are not kept.

    Raises:
        ValueError, TypeError: If it is invalid.
    """
    return kind.from_pem(**{f"{name}_pem": text.encode() for name, text in document.items()})
