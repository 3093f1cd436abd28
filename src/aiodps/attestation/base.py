"""The attestation protocol: what client and transports may ask of a device's credential."""

from __future__ import annotations

import enum
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from aiodps.errors import ConfigurationError, IdentityMismatchError


class KeyType(enum.StrEnum):
    """Type of a private key; an OpenSSL context has one certificate slot for each."""

    RSA = "rsa"
    RSA_PSS = "rsa-pss"
    EC = "ec"
    ED25519 = "ed25519"
    ED448 = "ed448"


@dataclass(frozen=True, slots=True)
class NoCertificate:
    """The device presents no certificate in TLS; it authenticates with a SAS token."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The device presents a certificate, which is loaded into a context just before use."""

    key_type: KeyType
    """The slot of the context it is loaded into; key types never share a context."""
    load: Callable[[ssl.SSLContext], None] = field(repr=False)
    """Loads certificate chain and key into a context; synchronous, raises `CredentialError`."""


@dataclass(frozen=True, slots=True)
class OwnContext:
    """The device uses the caller's own `SSLContext`; nothing is ever loaded into it."""

    context: ssl.SSLContext

    def check(self, *, trust: object = None) -> None:
        """Raise `ConfigurationError` if the context does not verify the server, or allows TLS 1.1.

        A context can be changed at any time, so it is checked again for each connection. It has
        its own CAs: a `trust` that is not None is an error, too.
        """
        if trust is not None:
            raise ConfigurationError(
                "trust cannot be combined with an SSLContext, which has its own",
                setting="trust",
                hint="load the CA into the SSLContext instead",
            )

        if self.context.verify_mode is not ssl.CERT_REQUIRED or not self.context.check_hostname:
            raise _unsafe_context("does not verify the server's certificate and host name")

        if self.context.minimum_version < ssl.TLSVersion.TLSv1_2:
            raise _unsafe_context("allows TLS versions before 1.2")


def _unsafe_context(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the SSLContext {fault}",
        setting="attestation",
        hint="start with ssl.create_default_context() and leave its checks on",
    )


TlsIdentity: TypeAlias = NoCertificate | ClientCertificate | OwnContext


class Attestation(Protocol):
    """How a device authenticates. Implementations hold secrets and never reveal them."""

    @property
    def registration_id(self) -> str | None:
        """The registration id that the credential is for, or None if it does not name one."""

    def tls_identity(self) -> TlsIdentity:
        """Return what the device presents in the TLS handshake."""

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return a SAS token for the service, or None if TLS authenticates the device.

        Called before every request that needs one, so an implementation may reuse a token that
        is valid for long enough. It is a coroutine because the key may be in an HSM.

        Args:
            audience: The token's audience, `{id scope}/registrations/{registration id}`.
            expires: Earliest time at which the token may expire, in seconds since 1970.

        Raises:
            CredentialError: If the key cannot be used.
        """

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Check everything that can be checked before connecting.

        Args:
            registration_id: The id the device is about to register with.
            wall_time: The current time, in seconds since 1970.

        Raises:
            CredentialError: If the service would certainly refuse the credential.
        """


def check_same_id(credential: str, own: str, registration_id: str, *, reason: str) -> None:
    """Check that a credential which names no id by itself is for this registration id.

    Args:
        credential: What the message calls it.
        own: The registration id that was given with it; casing does not count.
        registration_id: The id the device is about to register with.
        reason: Of the error.

    Raises:
        IdentityMismatchError: If they differ.
    """
    if registration_id.casefold() != own.casefold():
        raise IdentityMismatchError(
            f"the {credential} is for {own!r}, the registration id is {registration_id!r}",
            reason=reason,
            hint="give the same registration id to both, or leave it out of the settings",
        )


def check_attestation(value: object) -> Attestation:
    """Return an attestation, if it is one.

    Raises:
        ConfigurationError: If it is anything else, such as a path, or a class in place
            of an instance.
    """
    methods = (getattr(value, name, None) for name in ("tls_identity", "authorization", "check"))
    if not isinstance(value, type) and all(map(callable, methods)):
        return value  # type: ignore[return-value]  # checked by its shape

    what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise ConfigurationError(
        f"the attestation cannot be {what}",
        setting="attestation",
        hint="give for example X509.from_files(certificate, private_key)",
    )
