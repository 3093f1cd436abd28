"""Devices that prove who they are in the way a test says."""

from __future__ import annotations

from dataclasses import dataclass

from aiodps.attestation.base import NoCertificate, TlsIdentity


@dataclass(frozen=True)
class Attested:
    """An attestation that shows this in TLS, and gives this token."""

    identity: TlsIdentity = NoCertificate()  # noqa: RUF009 (frozen)
    sas: str | None = None
    registration_id: str | None = None

    def tls_identity(self) -> TlsIdentity:
        """Return the identity."""
        return self.identity

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return the token, with what it is for."""
        return None if self.sas is None else f"{self.sas} {audience}"

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Be content."""
