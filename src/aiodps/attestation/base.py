"""What a transport and the client may ask of an attestation."""

from __future__ import annotations

import enum
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


class KeyType(enum.Enum):
    """The kind of private key: OpenSSL keeps one certificate slot for each."""

    RSA = "rsa"
    EC = "ec"
    ED25519 = "ed25519"
    ED448 = "ed448"


@dataclass(frozen=True, slots=True)
class NoCertificate:
    """The device shows no certificate in TLS; what proves it is a SAS token."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The device shows a certificate that is loaded into a context at the moment of wrapping."""

    key_type: KeyType
    """Which slot of the context it goes to; contexts are never shared across types."""
    load: Callable[[ssl.SSLContext], None] = field(repr=False)
    """Load certificate chain and key into a context; synchronous, raises `CredentialError`."""


@dataclass(frozen=True, slots=True)
class OwnContext:
    """The caller brought an `SSLContext`; nothing is ever loaded into it."""

    context: ssl.SSLContext


TlsIdentity: TypeAlias = NoCertificate | ClientCertificate | OwnContext


class Attestation(Protocol):
    """How a device proves who it is. Implementations hold secrets and never show them."""

    @property
    def registration_id(self) -> str | None:
        """The registration id the credential is for, or None if it does not say."""

    def tls_identity(self) -> TlsIdentity:
        """Return what the device shows in the TLS handshake."""

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return a SAS token for the service, or None if the TLS handshake is proof enough.

        Called before every request that needs one, so an implementation may keep a token that
        is good for long enough. It is a coroutine because the key may live in an HSM.

        Args:
            audience: What the token is for, `{id scope}/registrations/{registration id}`.
            expires: Seconds since 1970 until which the token has to be good at least.

        Raises:
            CredentialError: If the key cannot be used.
        """

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Check everything that can be checked before dialling.

        Args:
            registration_id: The id the device is about to register with.
            wall_time: Seconds since 1970, to judge validity by.

        Raises:
            CredentialError: If the service is sure to refuse the credential.
        """
