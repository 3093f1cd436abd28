"""The credentials of one registration, and what is done when the service refuses one.

A token is signed once for a registration and reused, because its key may be in a slow HSM. If the
service refuses it and the clocks differ, it is signed once more, for the service's clock. A
credential that the service refuses as such is followed by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, final

from aiodps.attestation.base import (
    Attestation,
    OwnContext,
    TlsIdentity,
    check_attestation,
)
from aiodps.attestation.tpm import Tpm
from aiodps.errors import (
    CertificateError,
    ConfigurationError,
    ServiceError,
    UnauthorizedError,
)
from aiodps.models import Assignment, IssuedCredential, Phase
from aiodps.protocol.identifiers import check_registration_id
from aiodps.protocol.messages import TpmKeys
from aiodps.protocol.payloads import hub_challenge

CLOCK_SKEW = 300
"""Seconds by which two clocks may differ without being the cause of a refusal."""

CREDENTIAL_REFUSED = frozenset({401000, 401002})
"""Error codes of refused tokens and certificates, as seen on the live service."""


_UNAUTHORIZED = 401
"""The status that the codes of refused credentials begin with."""
_MAX_CHALLENGES = 2
"""Of one registration: a restart may have made the service forget the first one."""

Attestations: TypeAlias = Attestation | IssuedCredential | Sequence[Attestation | IssuedCredential]
"""One credential, or several in the order in which they are tried."""


@final
class Credentials:
    """The `Attestation` of one registration: the first of its credentials that is not refused.

    Not for concurrent registrations: each has its own.
    """

    def __init__(
        self, attestations: Attestations, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Start with the first credential.

        Args:
            attestations: One, or several in order.
            clock: Returns the time in seconds since 1970.

        Raises:
            ConfigurationError: If there is none, or one is not an attestation.
            PrivateKeyError: If one was issued for a key that only the caller has.
        """
        given = attestations if isinstance(attestations, Sequence) else [attestations]
        self._left = list(enumerate(map(as_attestation, given)))
        self._clock = clock
        self._token: str | None = None
        self._valid_until = 0.0
        self._offset = 0.0
        self._challenges = 0
        if not self._left:
            raise ConfigurationError(
                "no credential was given",
                setting="attestation",
                hint="give an attestation, or a list of them in order",
            )

    @property
    def index(self) -> int:
        """The position of the current credential, from 0."""
        return self._left[0][0]

    @property
    def _current(self) -> Attestation:
        return self._left[0][1]

    @property
    def usable(self) -> Sequence[tuple[int, Attestation]]:
        """The credentials that are left, each with its position."""
        return tuple(self._left)

    def add_remarks(self, error: ServiceError) -> None:
        """Prepend the remarks about the current certificate to the hint of a refusal."""
        code, remarks = error.error_code, remarks_of(self._current)
        unauthorized = code is None or code // 1000 == _UNAUTHORIZED
        if remarks and unauthorized:
            error.hint = f"{'; '.join(remarks)}. {error.hint}"

    @property
    def registration_id(self) -> str | None:
        """The first registration id that a credential is for; see `Attestation`."""
        names = (each.registration_id for _, each in self._left)
        return next((name for name in names if name is not None), None)

    def registration_id_or(self, requested: str | None) -> str:
        """Return the registration id that was requested, or else that of the credentials.

        Raises:
            ConfigurationError: If there is none, or it is not valid.
        """
        name = self.registration_id if requested is None else requested
        if name is None:
            raise ConfigurationError(
                "no registration id was given, and it cannot be read from an SSLContext",
                setting="registration_id",
                hint="give registration_id= (--registration-id), the CN of the certificate",
            )

        return check_registration_id(name)

    def tls_identity(self) -> TlsIdentity:
        """Return what the device presents in the TLS handshake."""
        return self._current.tls_identity()

    def check_contexts(self, *, trust: object) -> None:
        """Check the caller's own contexts; see `OwnContext.check`.

        Raises:
            ConfigurationError: If one is not safe, or a `trust` was given as well.
        """
        for _, each in self._left:
            if isinstance(identity := each.tls_identity(), OwnContext):
                identity.check(trust=trust)

    @property
    def has_tpm(self) -> bool:
        """Whether one of the credentials that are left is a TPM."""
        return any(isinstance(each, Tpm) for _, each in self._left)

    @property
    def tpm_keys(self) -> TpmKeys | None:
        """The public keys of the current credential, if it is a TPM, for a register request."""
        return self._current.tpm_keys if isinstance(self._current, Tpm) else None

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return the token if it is valid for five more minutes, otherwise a new one.

        A TPM has none until it is challenged, whatever key an earlier challenge left in it.
        """
        if isinstance(self._current, Tpm) and not self._challenges:
            return None

        if self._token is None or self._now() + CLOCK_SKEW > self._valid_until:
            valid_until = expires + int(self._offset)
            self._token = await self._current.authorization(audience, expires=valid_until)
            self._valid_until = valid_until

        return self._token

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Check every credential, and leave out those that have expired; see `Attestation`.

        Raises:
            CredentialError: If all have expired, or one is wrong in another way.
        """
        usable: list[tuple[int, Attestation]] = []
        expired: list[CertificateError] = []
        for index, each in self._left:
            try:
                each.check(registration_id=registration_id, wall_time=wall_time)
            except CertificateError as error:
                if error.reason != "expired":
                    raise

                expired.append(error)
            else:
                usable.append((index, each))

        if not usable:
            raise expired[0]

        self._left = usable

    async def reauthenticate(self, refusal: UnauthorizedError) -> str:
        """Prepare another way to authenticate, if there is one, and return what it is.

        Raises:
            UnauthorizedError: The refusal itself, if there is none; its hint says more.
        """
        if isinstance(self._current, Tpm) and await self._meet_challenge(self._current, refusal):
            return "the key of a challenge for the TPM"

        if not is_credential_refused(refusal):
            raise refusal

        if self._token is not None:
            refusal.hint = self._hint(refusal)
            if self._is_clock_to_blame(refusal):
                self._offset = self._offset_to(refusal.service_time)
                self._token = None
                return "a new token for the service's clock"

        if len(self._left) == 1:
            raise refusal

        del self._left[0]
        self._token = None
        self._challenges = 0
        return f"credential {self.index}"

    async def assigned(self, assignment: Assignment) -> None:
        """Have a TPM import the device's key for its hub, if there is one.

        Raises:
            TpmError: "activation", if it refused; the device is assigned nevertheless.
        """
        challenge = hub_challenge(assignment.raw)
        if isinstance(self._current, Tpm) and challenge is not None:
            await self._current.activate(challenge)

    async def _meet_challenge(self, tpm: Tpm, refusal: UnauthorizedError) -> bool:
        if refusal.challenge is None or self._challenges == _MAX_CHALLENGES:
            return False

        await tpm.activate(refusal.challenge)
        self._challenges += 1
        self._token = None
        return True

    def _is_clock_to_blame(self, refusal: UnauthorizedError) -> bool:
        offset = self._offset_to(refusal.service_time)
        return not self._offset and abs(offset) > CLOCK_SKEW

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
            f"{clocks}, the key is not in an enrollment of this registration id: compare them; "
            "a group's key has to be derived with SymmetricKey.derive (--group-key-file)"
        )


def as_attestation(value: object) -> Attestation:
    """Return one credential that a caller gives as an attestation.

    Raises:
        ConfigurationError: If it is not one.
        PrivateKeyError: If it was issued for a key that only the caller has.
    """
    if isinstance(value, IssuedCredential):
        from aiodps.attestation.x509 import X509  # noqa: PLC0415 (loads cryptography)

        return X509.from_issued(value)

    return check_attestation(value)


def remarks_of(attestation: Attestation) -> tuple[str, ...]:
    """Return what the service may refuse about a credential, though it is not an error here."""
    from aiodps.attestation.x509 import X509  # noqa: PLC0415 (idem)

    return attestation.remarks if isinstance(attestation, X509) else ()


def is_credential_refused(refusal: UnauthorizedError) -> bool:
    """Return whether the service refused the credential as such.

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
