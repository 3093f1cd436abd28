"""The state of one registration: a token that is reused, and one more for the service's clock."""

from __future__ import annotations

from itertools import count

import pytest
from tests.sas_vectors import C_KEY

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.attestation.credentials import CLOCK_SKEW, Credentials, is_credential_refused
from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.errors import IdentityMismatchError, UnauthorizedError
from aiodps.models import Phase

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
LIFETIME = 90 + CLOCK_SKEW
"""What a registration of 90 s asks for."""


class Numbered:
    """An attestation whose tokens are numbered, and say when they expire."""

    registration_id = "dev-1"

    def __init__(self, *, tokens: bool = True) -> None:
        self._numbers = count(1)
        self._tokens = tokens

    def tls_identity(self) -> TlsIdentity:
        """Show no certificate."""
        return NoCertificate()

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Return the next token."""
        number = next(self._numbers)
        return f"{number} {audience} {expires - NOW}" if self._tokens else None

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Be content."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def __call__(self) -> float:
        """Return the time."""
        return self.time


def refusal(
    error_code: int | None = 401000,
    service_time: float | None = None,
    phase: Phase = Phase.REGISTER,
) -> UnauthorizedError:
    """Refuse a credential."""
    error = UnauthorizedError("no", status_code=401, error_code=error_code).locate(phase=phase)
    error.service_time = service_time
    return error


async def token(credentials: Credentials, clock: Clock) -> str | None:
    """Ask for a token as the target does."""
    return await credentials.authorization("aud", expires=int(clock.time) + LIFETIME)


async def test_a_token_is_reused() -> None:
    """It is signed once for a registration, and once more if the device's clock jumps."""
    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    first = await token(credentials, clock)
    clock.time += 90
    assert await token(credentials, clock) == first == "1 aud 390"
    clock.time += 1
    assert await token(credentials, clock) == "2 aud 481"


async def test_no_token() -> None:
    """A certificate needs none, and a refused one cannot be helped."""
    clock = Clock()
    credentials = Credentials(Numbered(tokens=False), clock=clock)
    assert await token(credentials, clock) is None
    error = refusal(401002, NOW + 86400)
    with pytest.raises(UnauthorizedError) as caught:
        await credentials.reauthenticate(error)

    assert caught.value is error
    assert error.hint == UnauthorizedError.default_hint


@pytest.mark.parametrize("offset", [-86400, -CLOCK_SKEW - 1, CLOCK_SKEW + 1, 86400])
async def test_once_more_for_the_clock_of_the_service(offset: int) -> None:
    """If clocks differ, a new token is signed for that of the service, and only once."""
    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    await token(credentials, clock)
    await credentials.reauthenticate(refusal(service_time=NOW + offset))
    assert await token(credentials, clock) == f"2 aud {LIFETIME + offset}"
    clock.time += 90
    assert await token(credentials, clock) == f"2 aud {LIFETIME + offset}"

    again = refusal(service_time=clock.time + offset)
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(again)

    assert again.hint.startswith("set the device's clock: it is 2027-01-15 08:01:30 UTC here, ")


@pytest.mark.parametrize("offset", [-CLOCK_SKEW, 0, CLOCK_SKEW])
async def test_the_clocks_agree(offset: int) -> None:
    """Then the key is wrong, and another token would be refused as well."""
    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    await token(credentials, clock)
    error = refusal(401002, NOW + offset)
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(error)

    assert "clocks agree (2027-01-15 08:00:00 UTC here, 2027-01-15 " in error.hint
    assert "derived" in error.hint


async def test_the_clock_of_the_service_is_unknown() -> None:
    """Then that of the device is shown."""
    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    await token(credentials, clock)
    error = refusal(None, phase=Phase.SESSION)
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(error)

    assert error.hint.startswith("if the device's clock is right (2027-01-15 08:00:00 UTC), ")


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (refusal(401000), True),
        (refusal(401002), True),
        (refusal(None, phase=Phase.SESSION), True),
        (refusal(None), False),
        (refusal(401001), False),
    ],
    ids=["401000", "401002", "CONNACK", "no code", "no hub"],
)
async def test_what_is_refused(error: UnauthorizedError, refused: bool) -> None:
    """Only if it is the credential itself, anything is done about it."""
    assert is_credential_refused(error) is refused
    if refused:
        return

    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    await token(credentials, clock)
    error.service_time = NOW + 86400
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(error)

    assert error.hint == UnauthorizedError.default_hint


async def test_a_time_out_of_range() -> None:
    """A service that tells an impossible time cannot break the hint."""
    clock = Clock()
    credentials = Credentials(Numbered(), clock=clock)
    await token(credentials, clock)
    await credentials.reauthenticate(refusal(service_time=1e18))
    await token(credentials, clock)
    error = refusal(service_time=1e18)
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(error)

    assert "out of range at the service" in error.hint


def test_it_is_the_attestation() -> None:
    """Everything else is the attestation's own."""
    credentials = Credentials(SymmetricKey(registration_id="dev-1", key=C_KEY))

    assert credentials.registration_id == "dev-1"
    assert credentials.tls_identity() == NoCertificate()
    with pytest.raises(IdentityMismatchError):
        credentials.check(registration_id="dev-2", wall_time=0.0)
