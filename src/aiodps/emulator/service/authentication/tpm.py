"""TPM attestation: a device shows its keys, is challenged, and signs with the key it was given.

Source of the dialogue: Microsoft's C#, Java and C clients. The first register request has the
public keys and no token, the response is 401 with a challenge; the second one has a token signed
with the challenge's key, as have all polls. Only over HTTPS: there is no such dialogue over MQTT.
"""

from __future__ import annotations

import base64
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.messages import Identity, Request
from aiodps.emulator.service.authentication.sas import key_rejected, read_token
from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.emulator.service.enrollments.mechanisms import TpmKeys
from aiodps.tpm.structures import HMAC_KEY_BYTES, StructureError

MAX_DEVICES: Final = 100_000
"""Most devices whose challenges are kept; one more drops the oldest."""
_MESSAGE = "Authorization required, resend request using supplied key"


@dataclass(frozen=True, slots=True)
class _Challenged:
    """A device whose challenge was sent."""

    key: bytes = field(repr=False)
    keys: TpmKeys
    """Those that it presented."""


class TpmChallenges:
    """The challenges of an instance; after a restart, devices are challenged again."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, _Challenged] = OrderedDict()

    def authenticate(
        self,
        request: Request,
        identity: Identity,
        enrolled: TpmKeys,
        *,
        presented: TpmKeys | None,
        now: float,
    ) -> None:
        """Accept a device that signs with the key of its latest challenge.

        Args:
            request: Of the device.
            identity: Its credentials.
            enrolled: The keys in its enrollment.
            presented: The keys in the request; None if there are none.
            now: Seconds since 1970.

        Raises:
            Refusal: 401, with a challenge if it has no token yet; without, if its TPM is not the
                enrolled one, or another key signed.
        """
        other = None if presented is None else _other_key(presented, enrolled)
        if other is not None:
            why = f"another {other} key is enrolled"
            raise Refusal(ErrorCode.UNAUTHORIZED, "Unauthorized", why=why)

        if not identity.authorization:
            raise self._challenge(request.registration_id, presented)

        token = read_token(request, identity, now=now)
        known = self._challenged(request.registration_id, enrolled)
        if known is None or not token.is_signed_with([known.key]):
            raise key_rejected(request, "the signature is not by the key of the latest challenge")

    def hub_key(self, registration_id: str, enrolled: TpmKeys) -> str | None:
        """Return a key for the IoT hub, as a challenge in base64; None for an unknown device."""
        known = self._challenged(registration_id, enrolled)
        if known is None:
            return None

        return _written(known.keys, os.urandom(HMAC_KEY_BYTES))

    def _challenged(self, registration_id: str, enrolled: TpmKeys) -> _Challenged | None:
        """Return a device that was challenged; None if another TPM is enrolled by now."""
        known = self._devices.get(registration_id.lower())
        return None if known is None or _other_key(known.keys, enrolled) else known

    def _challenge(self, registration_id: str, presented: TpmKeys | None) -> Refusal:
        if presented is None or presented.storage_root_key is None:
            why = "the body has no endorsement key and storage root key of a TPM"
            return Refusal(ErrorCode.UNAUTHORIZED, "Unauthorized", why=why)

        key = os.urandom(HMAC_KEY_BYTES)
        try:
            written = _written(presented, key)
        except StructureError as exc:
            why = f"a key of the TPM cannot be used: {exc}"
            return Refusal(ErrorCode.UNAUTHORIZED, "Unauthorized", why=why)

        self._devices.pop(registration_id.lower(), None)
        self._devices[registration_id.lower()] = _Challenged(key, presented)
        if len(self._devices) > MAX_DEVICES:
            self._devices.popitem(last=False)

        return Refusal(ErrorCode.UNAUTHORIZED, _MESSAGE, authentication_key=written)


def _written(keys: TpmKeys, key: bytes) -> str:
    endorsement, storage_root = keys.endorsement_key, keys.storage_root_key or ""
    made = challenge(base64.b64decode(endorsement), base64.b64decode(storage_root), key=key)
    return base64.b64encode(made).decode()


def _other_key(presented: TpmKeys, enrolled: TpmKeys) -> str | None:
    """Return which key is not the enrolled one; None if the TPM is."""
    if not _is_same(presented.endorsement_key, enrolled.endorsement_key):
        return "endorsement"

    known = enrolled.storage_root_key
    if known is not None and not _is_same(presented.storage_root_key or "", known):
        return "storage root"

    return None


def _is_same(one: str, other: str) -> bool:
    return base64.b64decode(one) == base64.b64decode(other)
