"""The service's error codes, and the exception that carries one.

Microsoft publishes no table of the six-digit codes. Each one here was seen on the wire or in
Microsoft's own clients; a code is the HTTP status times a thousand plus a detail.
"""

from __future__ import annotations

import enum


class ErrorCode(enum.IntEnum):
    """The service's `errorCode`."""

    INVALID_REQUEST = 400000
    """The request as a whole: api-version, registration id, size."""
    BAD_REQUEST = 400004
    """The body is not JSON or not what it should be (seen on the wire)."""
    DESERIALIZATION = 400012
    """A member that this api-version or instance does not take, such as `csr` (seen on the
    wire)."""
    PROOF_OF_POSSESSION = 400053
    """A proof of possession is signed by another CA (quoted by a user: azure-iot-sdk-c 1347)."""
    CUSTOM_ALLOCATION = 400207
    """The custom allocation webhook gave no hub (seen on the wire)."""
    KEY_REJECTED = 401000
    """A signature is not of the device's key, over MQTT (seen on the wire); a client of
    Microsoft's tries its next key after this code and no other."""
    HUB_NOT_FOUND = 401001
    """No linked IoT Hub can take the device (seen on the wire)."""
    UNAUTHORIZED = 401002
    """The device did not prove who it is (the most common one on the wire)."""
    NOT_FOUND = 404000
    """Nothing has this name, be it an id scope or a path; only its status is documented
    (Microsoft Learn, "Troubleshoot with IoT Hub Device Provisioning Service")."""
    REGISTRATION_NOT_FOUND = 404201
    """No such enrollment or registration (seen on the wire)."""
    OPERATION_NOT_FOUND = 404203
    """No such operation (from a client's test)."""
    GROUP_NOT_FOUND = 404204
    """No such enrollment group (from a client's test)."""
    NOT_ALLOWED = 405000
    """The method does not fit the path; only its status is documented."""
    CONFLICT = 409000
    """There is one already, or of two concurrent changes; only its status is documented."""
    REGISTRATION_CONFLICT = 409203
    """Two registrations of one device at once (seen on the wire)."""
    PRECONDITION_FAILED = 412000
    """The etag given is not the etag of the record; only its status is documented."""
    THROTTLED = 429001
    """Too many requests (from a client's test; only its status is documented)."""


class Refusal(Exception):  # noqa: N818 (a response of the service, not a failure of ours)
    """A refusal by the service: the error that the device or administrator receives.

    Args:
        code: See `ErrorCode`.
        message: In the service's words, where they are known.
        why: The cause, for the request log alone: the service is not that specific. None if the
            message says it all.
        retry_after: Whole seconds until the next attempt; None to leave it out.
        authentication_key: The challenge for a TPM, in base64; None if it is not challenged.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        why: str | None = None,
        retry_after: int | None = None,
        authentication_key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.why = why
        self.retry_after = retry_after
        self.authentication_key = authentication_key

    @property
    def status_code(self) -> int:
        """Of HTTP: the first three digits of the code."""
        return self.code // 1000


def unsupported_version(api_version: str | None) -> Refusal:
    """Make the refusal of an api-version that does not exist, or of a request without one."""
    if api_version is None:
        return Refusal(
            ErrorCode.INVALID_REQUEST,
            "The api-version is missing.",
            why="it is a parameter of the query; over MQTT, the end of the user name: "
            "{idScope}/registrations/{registrationId}/api-version={v}, without '?'",
        )

    return Refusal(ErrorCode.INVALID_REQUEST, f"Unsupported api-version {api_version!a}.")
