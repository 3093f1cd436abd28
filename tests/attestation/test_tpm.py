"""TPM attestation: what the device's side makes of a TPM, of a challenge, and of what fails."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from tests.software_tpms import software_tpm

import aiodps
from aiodps import Tpm, TpmDevice
from aiodps.attestation.credentials import Credentials
from aiodps.attestation.tpm import registration_id_of
from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.errors import (
    ConfigurationError,
    IdentityMismatchError,
    TpmError,
    UnauthorizedError,
)
from aiodps.tpm.structures import (
    ENDORSEMENT_KEY_TEMPLATE,
    STORAGE_ROOT_KEY_TEMPLATE,
    StructureError,
)
from aiodps.transports import AUTO, transport_by_name

pytestmark = pytest.mark.anyio
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])

KEY = bytes(range(32))


def challenged(**more: Any) -> UnauthorizedError:
    """Make the refusal with a challenge."""
    refusal = UnauthorizedError("Authorization required", status_code=401, **more)
    refusal.challenge = challenge(
        software_tpm().endorsement_key, software_tpm().storage_root_key, key=KEY
    )
    return refusal


def test_the_registration_id_is_that_of_microsofts_tools() -> None:
    """Base32 of SHA-256 of the endorsement key, lower case, without padding; or one's own."""
    derived = Tpm(software_tpm()).registration_id

    assert derived == registration_id_of(software_tpm().endorsement_key)
    assert len(derived) == 52
    assert derived == derived.lower()
    assert registration_id_of(b"") == "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"
    assert Tpm(software_tpm(), registration_id="pump-7").registration_id == "pump-7"
    with pytest.raises(ConfigurationError):
        Tpm(software_tpm(), registration_id="a/b")


def test_it_is_for_one_registration_id() -> None:
    """Another one is an error before anything is sent; casing does not count."""
    tpm = Tpm(software_tpm(), registration_id="pump-7")
    tpm.check(registration_id="PUMP-7", wall_time=0.0)
    with pytest.raises(IdentityMismatchError):
        tpm.check(registration_id="pump-8", wall_time=0.0)

    assert repr(tpm) == "<Tpm 'pump-7'>"


@ON_ASYNCIO
async def test_a_challenge_gives_the_key_that_signs() -> None:
    """No token before it, whatever is in the TPM; after it, one that the service can check."""
    credentials = Credentials(Tpm(software_tpm(), registration_id="pump-7"))
    before = await credentials.authorization("s/registrations/pump-7", expires=9)
    await credentials.reauthenticate(challenged())
    token = await credentials.authorization("s/registrations/pump-7", expires=9_999_999_999)

    assert before is None
    assert token is not None
    members = dict(part.partition("=")[::2] for part in token.partition(" ")[2].split("&"))
    text = f"{members['sr']}\n{members['se']}".encode()
    assert base64.b64decode(unquote(members["sig"])) == hmac.digest(KEY, text, "sha256")
    assert members["skn"] == "registration"


@ON_ASYNCIO
async def test_challenges_have_an_end() -> None:
    """The service may have forgotten one; not for ever."""
    credentials = Credentials(Tpm(software_tpm(), registration_id="pump-7"))
    for _ in range(2):
        await credentials.reauthenticate(challenged(error_code=401002))

    with pytest.raises(UnauthorizedError):
        await credentials.reauthenticate(challenged(error_code=401002))


class BrokenTpm:
    """A TPM that fails at everything but its keys."""

    endorsement_key = ENDORSEMENT_KEY_TEMPLATE
    storage_root_key = STORAGE_ROOT_KEY_TEMPLATE

    async def activate(self, challenge: bytes) -> None:
        """Fail."""
        raise OSError(len(challenge))

    async def sign(self, data: bytes) -> bytes:
        """Fail."""
        raise OSError(len(data))


@ON_ASYNCIO
async def test_what_fails_in_the_tpm_is_an_error_of_ours() -> None:
    """With its own error as the cause."""
    tpm = Tpm(BrokenTpm(), registration_id="pump-7")
    with pytest.raises(TpmError, match="refused the service's challenge") as activation:
        await tpm.activate(b"x")

    with pytest.raises(TpmError, match="did not sign") as signing:
        await tpm.authorization("s/registrations/pump-7", expires=9)

    assert (activation.value.reason, signing.value.reason) == ("activation", "sign")
    assert isinstance(activation.value.__cause__, OSError)


BAD_CHALLENGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda blob: blob[:200],
    "cut in a size": lambda blob: blob[:1],
    "a size that is too long": lambda blob: b"\xff\xff" + blob[2:],
    "a size that is too short": lambda blob: b"\x00\x01" + blob[2:],
    "a bit": lambda blob: bytes([*blob[:99], blob[99] ^ 1, *blob[100:]]),
    "of another TPM": lambda _: challenge(
        software_tpm("other").endorsement_key, software_tpm().storage_root_key, key=KEY
    ),
}


@ON_ASYNCIO
@pytest.mark.parametrize("change", BAD_CHALLENGES.values(), ids=BAD_CHALLENGES)
async def test_bad_challenges(change: Callable[[bytes], bytes]) -> None:
    """K30: an error before anything else is sent, which says what the TPM found."""
    refusal = challenged()
    assert refusal.challenge is not None
    refusal.challenge = change(refusal.challenge)
    credentials = Credentials(Tpm(software_tpm(), registration_id="pump-7"))
    with pytest.raises(TpmError, match="refused the service's challenge") as caught:
        await credentials.reauthenticate(refusal)

    assert isinstance(caught.value.__cause__, StructureError)
    assert caught.value.reason == "activation"


@pytest.mark.parametrize("key", [b"", None, "text"])
def test_a_tpm_without_keys(key: Any) -> None:
    """K31: it is refused when the attestation is made."""
    tpm = BrokenTpm()
    tpm.storage_root_key = key
    with pytest.raises(TpmError, match="no public keys"):
        Tpm(tpm)


def test_what_is_not_a_tpm() -> None:
    """Such as its TCTI, or a coroutine that was not awaited."""
    not_a_tpm: Any = "device:/dev/tpmrm0"
    with pytest.raises(ConfigurationError, match="device cannot be of type 'str'"):
        Tpm(not_a_tpm)


@ON_ASYNCIO
async def test_there_is_no_tpm_over_mqtt() -> None:
    """It is refused before anything is sent, also as the second of two credentials."""
    tpm: TpmDevice = software_tpm()
    key = aiodps.SymmetricKey(registration_id="pump-7", key=base64.b64encode(KEY).decode())
    own = Tpm(tpm, registration_id="pump-7")
    both: list[aiodps.Attestation] = [key, own]
    for attestation in (own, both):
        with pytest.raises(ConfigurationError, match="not possible over MQTT"):
            await aiodps.provision(
                attestation=attestation, id_scope="0ne00000000", transport="mqtt"
            )


@ON_ASYNCIO
async def test_auto_is_rest_for_a_tpm() -> None:
    """On asyncio, where other transports take part for other credentials."""
    assert transport_by_name(AUTO, needs_rest=True).name == "rest"
    assert transport_by_name(AUTO).name == "auto"
