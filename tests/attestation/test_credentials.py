"""The state of one registration: a token that is reused, and one more for the service's clock."""

from __future__ import annotations

from itertools import count

import pytest
from tests.certificates import root
from tests.emulated import attestation
from tests.sas_vectors import C_KEY

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.attestation.credentials import CLOCK_SKEW, Credentials, is_credential_refused
from aiodps.attestation.symmetric_key import SymmetricKey
from aiodps.errors import (
    CertificateError,
    ConfigurationError,
    CredentialError,
    IdentityMismatchError,
    UnauthorizedError,
)
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


class Own:
    """An attestation that fails its check in some way, or does not."""

    def __init__(self, name: str | None, error: CredentialError | None = None) -> None:
        self.registration_id = name
        self.error = error

    def tls_identity(self) -> TlsIdentity:
        """Show no certificate."""
        return NoCertificate()

    async def authorization(self, audience: str, *, expires: int) -> str:
        """Return a token with its own name."""
        return f"{self.registration_id}"

    def check(self, *, registration_id: str, wall_time: float) -> None:
        """Fail as told."""
        if self.error is not None:
            raise self.error


def test_none() -> None:
    """At least one credential is needed."""
    with pytest.raises(ConfigurationError, match="no credential"):
        Credentials([])


def test_the_first_id_counts() -> None:
    """A key in the caller's own context has none."""
    assert Credentials([Own(None), Own("dev-1")]).registration_id == "dev-1"
    assert Credentials(Own(None)).registration_id is None


async def test_in_order() -> None:
    """Each once, each with its own token; the last refusal is raised."""
    credentials = Credentials([Own("a"), Own("b"), Own("c")])
    tokens, ways = [await credentials.authorization("x", expires=2**40)], []
    for code in (401000, 401002):
        ways.append(await credentials.reauthenticate(refusal(code)))
        tokens.append(await credentials.authorization("x", expires=2**40))

    with pytest.raises(UnauthorizedError) as caught:
        await credentials.reauthenticate(refusal(401000))

    assert (tokens, ways) == (["a", "b", "c"], ["credential 1", "credential 2"])
    assert (credentials.index, caught.value.error_code) == (2, 401000)
    assert len(credentials.usable) == 1


async def test_a_clock_is_put_right_once_for_all() -> None:
    """The next credential's token is for the service's clock from the start."""
    clock = Clock()
    credentials = Credentials([Numbered(), Numbered()], clock=clock)
    later = NOW + 86400
    await token(credentials, clock)
    ways = [await credentials.reauthenticate(refusal(service_time=later))]
    await token(credentials, clock)
    ways.append(await credentials.reauthenticate(refusal(service_time=later)))

    assert ways == ["a new token for the service's clock", "credential 1"]
    assert await token(credentials, clock) == f"1 aud {LIFETIME + 86400}"
    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(refusal(service_time=later))


def test_expired_certificates_are_left_out() -> None:
    """If others remain; anything else that is wrong has to be put right."""
    too_late = CertificateError("late", reason="expired")
    credentials = Credentials([Own("a", too_late), Own("b"), Own("c", too_late), Own("d")])
    credentials.check(registration_id="x", wall_time=0.0)
    assert credentials.index == 1
    assert len(credentials.usable) == 2

    with pytest.raises(CertificateError, match="late"):
        Credentials([Own("a", too_late), Own("b", too_late)]).check(
            registration_id="x", wall_time=0.0
        )

    too_early = CertificateError("early", reason="not_yet_valid")
    with pytest.raises(CertificateError, match="early"):
        Credentials([Own("a"), Own("b", too_early)]).check(registration_id="x", wall_time=0.0)


def hint_of(credentials: Credentials, error_code: int) -> str:
    """Return the hint of a refusal, with the remarks of the current credential."""
    error = UnauthorizedError("no", status_code=401, error_code=error_code, hint="look at it")
    credentials.add_remarks(error)
    return error.hint


def test_remarks() -> None:
    """Those of the current certificate, on a refusal of a credential; a key has none."""
    odd = attestation(root().intermediate("dev-1"))

    assert "is a CA" in hint_of(Credentials(odd), 401002)
    assert hint_of(Credentials(odd), 400002) == "look at it"
    assert hint_of(Credentials([Own("dev-1"), odd]), 401002) == "look at it"


def test_usable_credentials() -> None:
    """What is left, with its positions: an expired one is not."""
    late, good = Own("a", CertificateError("late", reason="expired")), Own("b")
    credentials = Credentials([late, good])
    credentials.check(registration_id="x", wall_time=0.0)

    assert list(credentials.usable) == [(1, good)]
