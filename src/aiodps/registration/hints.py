"""The next step for each error of the service with a known cause.

A step depends on the service's code and message, not on how they arrived: as a status of 4xx, or
as a registration that `failed`.
"""

from __future__ import annotations

from aiodps.errors import ServiceUnavailableError, ThrottledError
from aiodps.protocol.payloads import ErrorDetails

_HUB_ACCESS = "the instance is not authorized at the IoT hub: check the linked hub's access policy"
_HINTS = {
    400004: "the service could not read the request: check the payload, and look for a proxy that "
    "changes requests",
    400012: "the request has a member that this api-version does not know, such as csr before "
    "2025-07-01-preview, or one that it cannot read: set another api-version",
    400207: "the custom allocation webhook of the enrollment failed: see its log",
    400208: "the enrollment names no IoT hub: link one to the instance, or name one there",
    400209: _HUB_ACCESS,
    401000: "the credential is not that of an enrollment of this registration id, or the clock of "
    "the device is wrong",
    401001: "no IoT hub is linked to the instance that could take the device: link one",
    401002: "usual causes: the device does not send its intermediates, the CA is not verified, "
    "the certificate is not the enrolled one, or no enrollment matches",
    403000: "the instance may not use its namespace or IoT hub: check the roles of its identity",
    404201: "no enrollment exists for this registration id: create one, or check the id",
    404203: "the service has forgotten the operation: register again",
    409203: "another registration of this id is in progress: look for a second client",
    429001: ThrottledError.default_hint,
    500000: ServiceUnavailableError.default_hint,
}
"""By code, as seen on the live service or in Microsoft's clients."""

_HUB_REFUSES = "IotHubUnauthorizedAccess"
"""The beginning of a message with the code 401002 that is not about the device at all."""


def hint(details: ErrorDetails) -> str | None:
    """Return the next step for an error of the service; None if its code is not known."""
    if (details.message or "").startswith(_HUB_REFUSES):
        return _HUB_ACCESS

    return _HINTS.get(details.error_code or 0)
