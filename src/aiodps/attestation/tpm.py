"""TPM attestation: the device signs tokens with a key that the service wraps for its TPM."""

from __future__ import annotations

import base64
import hashlib
from typing import Protocol, final, runtime_checkable

from aiodps.argument_types import check_type
from aiodps.attestation.base import NoCertificate, check_same_id
from aiodps.attestation.symmetric_key import signed_token
from aiodps.errors import ProvisioningError, SymmetricKeyError, TpmError
from aiodps.protocol.identifiers import check_registration_id
from aiodps.protocol.messages import TpmKeys


@runtime_checkable
class TpmDevice(Protocol):
    """A TPM 2.0, as far as DPS needs it; `aiodps.tpm.software.SoftwareTpm` is one for tests."""

    @property
    def endorsement_key(self) -> bytes:
        """The public endorsement key: a `TPM2B_PUBLIC` with its size."""

    @property
    def storage_root_key(self) -> bytes:
        """The public storage root key: a `TPM2B_PUBLIC` with its size."""

    async def activate(self, challenge: bytes) -> None:
        """Import the HMAC key of a challenge: ActivateCredential, Import, Load.

        It replaces a key that was imported before. May raise anything.
        """

    async def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes with the key that was imported last."""


@final
class Tpm:
    """TPM attestation of an individual enrollment, over REST alone.

    The service answers the first register request with a challenge. The second one is signed with
    the challenge's key, and is answered like any other.
    """

    __slots__ = ("_device", "_imported", "_registration_id", "tpm_keys")

    def __init__(self, device: TpmDevice, *, registration_id: str | None = None) -> None:
        """Read the TPM's public keys.

        Args:
            device: The TPM.
            registration_id: Registration id of the device; None to derive it from the endorsement
                key as Microsoft's tools do: SHA-256 in base32, lower case, without padding.

        Raises:
            TpmError: "keys", if the TPM has no such keys.
            ConfigurationError: If the device is not a TPM, or the registration id is not valid.
        """
        check_type(device, TpmDevice, "device")
        keys: tuple[object, ...] = (device.endorsement_key, device.storage_root_key)
        if not all(isinstance(key, bytes) and key for key in keys):
            raise TpmError("the TPM returned no public keys", reason="keys")

        self.tpm_keys: TpmKeys = TpmKeys(device.endorsement_key, device.storage_root_key)
        """The public keys, for a register request."""
        derived = registration_id_of(self.tpm_keys.endorsement_key)
        name = derived if registration_id is None else registration_id
        self._device = device
        self._imported: bytes | None = None
        self._registration_id = check_registration_id(name)

    def __repr__(self) -> str:
        """Return the registration id."""
        return f"<Tpm {self._registration_id!r}>"

    @property
    def registration_id(self) -> str:
        """The registration id, as given or derived."""
        return self._registration_id

    @property
    def has_tpm(self) -> bool:
        """True."""
        return True

    def tls_identity(self) -> NoCertificate:
        """Return that the device presents no certificate."""
        return NoCertificate()

    def has_key_of(self, challenge: bytes) -> bool:
        """Whether the key of a challenge was the last one to be imported here.

        Another process may have imported one since.
        """
        return challenge == self._imported

    async def activate(self, challenge: bytes) -> None:
        """Have the TPM import the key of a challenge.

        Raises:
            TpmError: "activation", if it refused.
        """
        self._imported = None
        try:
            await self._device.activate(challenge)
            self._imported = challenge
        except ProvisioningError:
            raise
        except Exception as exc:
            raise TpmError(
                f"the TPM refused the service's challenge ({type(exc).__name__})",
                reason="activation",
                hint="the challenge is for another TPM, or was changed: see `__cause__`",
            ) from exc

    async def authorization(self, audience: str, *, expires: int) -> str:
        """Return a new SAS token; see `Attestation.authorization`.

        Raises:
            TpmError: "sign", if the TPM failed.
        """
        try:
            return await signed_token(self._device.sign, audience, expires=expires)
        except SymmetricKeyError as exc:
            raise TpmError("the TPM did not sign", reason="sign") from exc

    def check(self, *, registration_id: str, wall_time: float) -> None:  # noqa: ARG002 (the protocol's)
        """Check that the TPM is for this registration id.

        Raises:
            IdentityMismatchError: If it is for another one.
        """
        check_same_id("TPM", self._registration_id, registration_id, reason="tpm")


def registration_id_of(endorsement_key: bytes) -> str:
    """Return the registration id that Microsoft's tools derive from an endorsement key."""
    digest = hashlib.sha256(endorsement_key).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")
