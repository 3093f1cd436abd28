"""The credentials of one registration, and what is done when the service refuses one.

A token is signed once for a registration and reused, because its key may be in a slow HSM. If the
service refuses it and the clocks differ, it is signed once more, for the service's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import final

from aiodps.attestation.base import Attestation, TlsIdentity
from aiodps.errors import UnauthorizedError
from aiodps.models import Phase

CLOCK_SKEW = 300
"""Seconds by which two clocks may differ without being the cause of a refusal."""

CREDENTIAL_REFUSED = frozenset({401000, 401002})
"""Error codes of refused tokens and certificates, as seen on the live service."""


@final
class Credentials:
    """An `Attestation` with the state of one registration: the token, and the clocks' difference.

    Not for concurrent registrations: each has its own.
    """

    def __init__(
        self, attestation: Attestation, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Start with an attestation; `clock` returns the time in seconds since 1970."""
        self._attestation = attestation
        self._clock = clock
        self._token: str | None = None
        self._valid_until = 0.0
        self._offset = 0.0

    @property
    def registration_id(self) -> str | None:
        """The registration id that the credential is for; see `Attestation`."""
        return self._attestation.registration_id

    def tls_identity(self) -> TlsIdentity:
        """Return what the device presents in the TLS handshake."""
        return self._attestation.tls_identity()

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return the token if it is valid for five more minutes, otherwise a new one."""
        if self._token is None or self._now() + CLOCK_SKEW > self._valid_until:
            valid_until = expires + int(self._offset)
            self._token = await self._attestation.authorization(audience, expires=valid_until)
            self._valid_until = valid_until

        return self._token

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Check everything that can be checked before connecting; see `Attestation`."""
        self._attestation.check(registration_id=registration_id, wall_time=wall_time)

    async def reauthenticate(self, refusal: UnauthorizedError) -> None:
        """Prepare another way to authenticate, if there is one.

        Raises:
            UnauthorizedError: The refusal itself, if there is none; its hint shows the clocks.
        """
        if self._token is None or not is_credential_refused(refusal):
            raise refusal

        refusal.hint = self._hint(refusal)
        offset = self._offset_to(refusal.service_time)
        if self._offset or abs(offset) <= CLOCK_SKEW:
            raise refusal

        self._offset = offset
        self._token = None

    def _now(self) -> float:
        """Return the time, by the service's clock if that is known to differ."""
        return self._clock() + self._offset

    def _offset_to(self, service_time: float | None) -> float:
        return 0.0 if service_time is None else service_time - self._clock()

    def _hint(self, refusal: UnauthorizedError) -> str:
        """Return the next step after a refused token; the clock comes first, then the key."""
        ours, theirs = _moment(self._clock()), refusal.service_time
        if abs(self._offset_to(theirs)) > CLOCK_SKEW:
            return f"set the device's clock: it is {ours} here, {_moment(theirs)} at the service"

        clocks = (
            f"if the device's clock is right ({ours})"
            if theirs is None
            else f"the clocks agree ({ours} here, {_moment(theirs)} at the service)"
        )
        return (
            f"{clocks}, the key is not that of an enrollment of this id: compare them; a group's "
            "key has to be derived (SymmetricKey.derive, --group-key-file)"
        )


def is_credential_refused(refusal: UnauthorizedError) -> bool:
    """Return whether the service refused the credential for what it is.

    The codes 4 and 5 of CONNACK, which have no error code, mean that as well.
    """
    if refusal.error_code is None:
        return refusal.phase is Phase.SESSION

    return refusal.error_code in CREDENTIAL_REFUSED


def _moment(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds or 0.0, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "out of range"
