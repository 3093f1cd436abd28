"""The symmetric keys that the service remembers: another key of the device is refused for a while.

Source: an engineer of Microsoft in azure-iot-sdk-node 721: the key with which a device registers
is cached by the service for 30 minutes, so the secondary key gets 401002 in the meantime (users
saw the same: azure-iot-sdk-c 1748). That a group's keys are treated alike is our reading.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from aiodps.emulator.protocol.messages import Identity, Request
from aiodps.emulator.service.authentication.sas import key_rejected, read_token, signing_key
from aiodps.emulator.service.enrollments.enrollment import Enrollment, EnrollmentGroup
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys

REMEMBERED_SECONDS: Final = 1800.0
MAX_DEVICES: Final = 100_000
"""Most devices whose keys are remembered; one more makes the oldest forgotten."""


class RememberedKeys:
    """The keys with which devices have registered."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, tuple[bytes | None, float]] = OrderedDict()

    def check(
        self, request: Request, identity: Identity, enrollment: Enrollment, *, now: float
    ) -> None:
        """Remember the key of an authenticated device, or refuse it for another one.

        Args:
            request: Of the device.
            identity: Its credentials, which the enrollment has accepted.
            enrollment: Its enrollment.
            now: Seconds since 1970.

        Raises:
            Refusal: 401, if another key of the enrollment is remembered.
        """
        if not isinstance(enrollment.attestation, SymmetricKeys):
            return

        name = request.registration_id.lower()
        key = signing_key(
            read_token(request, identity, now=now),
            enrollment.attestation,
            member=request.registration_id if isinstance(enrollment, EnrollmentGroup) else None,
        )
        remembered, until = self._keys.get(name, (key, now + REMEMBERED_SECONDS))
        if now >= until:
            remembered, until = key, now + REMEMBERED_SECONDS

        if remembered != key:
            left = f"{(until - now) / 60:.0f} min"
            raise key_rejected(request, f"another key of the device is remembered for {left}")

        self._keys[name] = remembered, until
        if len(self._keys) > MAX_DEVICES:
            self._keys.popitem(last=False)
