"""The key of a stored assignment: what it was requested with, and is returned for.

Digests stand for the credential and the payload. None reveals a key: of a certificate and of a
TPM it is made of what is public, and of a symmetric key of a signature that nobody can use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiodps.attestation.base import Attestation, NoCertificate
from aiodps.attestation.tpm import Tpm
from aiodps.errors import ConfigurationError
from aiodps.libraries import crypto
from aiodps.models import JsonObject

_AUDIENCE = "aiodps assignment cache"
"""Audience of the token that identifies a symmetric key. Azure has no such audience, the token
expired in 1970, and only its digest is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """The question that an assignment answers. Contains no secret."""

    endpoint: str
    """Host name of the service, in lower case."""
    id_scope: str
    """Id scope of the DPS instance."""
    registration_id: str
    """Registration id of the device, in lower case: the service ignores case as well."""
    credentials: str
    """SHA-256 of the usable credentials and their order."""
    payload: str
    """SHA-256 of the custom payload."""

    @classmethod
    async def of(
        cls,
        *,
        endpoint: str,
        id_scope: str,
        registration_id: str,
        credentials: Sequence[tuple[int, Attestation]],
        payload: JsonObject | None,
    ) -> Self:
        """Return the key of a registration.

        Args:
            endpoint: Host name of the service.
            id_scope: Id scope of the DPS instance.
            registration_id: Registration id of the device.
            credentials: Each with its position; see `Credentials.usable`.
            payload: The custom payload; None if there is none.

        Raises:
            ConfigurationError: If a credential cannot be recognized.
            CredentialError: If a symmetric key cannot sign.
        """
        parts = [f"{index} {await fingerprint(each)}" for index, each in credentials]
        plain = json.dumps(payload, sort_keys=True, separators=(",", ":"))
        return cls(
            endpoint=endpoint.lower(),
            id_scope=id_scope,
            registration_id=registration_id.lower(),
            credentials=_digest("\n".join(parts).encode()),
            payload=_digest(plain.encode()),
        )

    @property
    def file_name(self) -> str:
        """The name of the file for this device: a new credential or payload replaces the old one.

        The registration id is for people; the digest tells apart what may share a folder.
        """
        where = f"{self.endpoint}\n{self.id_scope}\n{self.registration_id}"
        return f"{self.registration_id.replace(':', '_')}.{_digest(where.encode())[:16]}.json"


async def fingerprint(attestation: Attestation) -> str:
    """Return what a credential is recognized by.

    It is the SHA-256 of the certificate, of the public endorsement key of a TPM, or of a token of
    any other credential: one that makes another token each time is another one each time.

    Raises:
        ConfigurationError: If the certificate is in the caller's own `SSLContext`, which does not
            show it, or an attestation has neither certificate nor token.
        CredentialError: If a symmetric key cannot sign.
    """
    from aiodps.attestation.x509 import X509  # noqa: PLC0415 (loads cryptography)

    match attestation:
        case X509(chain=(leaf, *_)):
            der = leaf.public_bytes(crypto.serialization.Encoding.DER)
            return f"x509 {_digest(der)}"
        case Tpm():
            return f"tpm {_digest(attestation.tpm_keys.endorsement_key)}"

    if isinstance(attestation.tls_identity(), NoCertificate):
        token = await attestation.authorization(_AUDIENCE, expires=0)
        if token is not None:
            return f"token {_digest(token.encode())}"

    raise ConfigurationError(
        "the cache cannot tell which certificate the device has: it is in an SSLContext, or in an "
        "attestation of your own",
        setting="cache",
        hint="leave out cache=, or give the certificate with X509.from_files",
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
