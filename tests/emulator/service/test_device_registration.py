"""The body of a register request."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.device_registration import MAX_BODY, check_device_registration
from aiodps.errors import BadRequestError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{}",
        b'{"registrationId":"device-1"}',
        b'{"RegistrationId":"DEVICE-1"}',
        b'{"registrationId":null}',
        b'{"payload": null, "registrationId": "device-1"}',
        b'{"payload": {"modelId": "dtmi:a;1"}}',
        b'{"tpm": null, "csr": null, "unknown": [1]}',
        b" " * MAX_BODY,
    ],
)
def test_bodies_of_real_clients(body: bytes) -> None:
    """Source: what Microsoft's SDKs for Python, Node, C and C# send, and the articles' curl."""
    check_device_registration(body, registration_id="device-1")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400004),
        (b"\xff\xfe{}", 400004),
        (b"[]", 400004),
        (b'"device-1"', 400004),
        (b"[" * 90_000, 400004),
        (b'{"registrationId":"device-2"}', 400004),
        (b'{"registrationId":1}', 400004),
        (b'{"payload":[]}', 400004),
        (b'{"payload":"text"}', 400004),
        (b'{"payload":0}', 400004),
        (b'{"csr":"MIIB"}', 400012),
        (b'{"tpm":{"endorsementKey":"AAAA"}}', 400012),
        (b" " * (MAX_BODY + 1), 400000),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bodies_that_are_refused(body: bytes, code: int) -> None:
    """Each with the code that the service was seen to give, where it was seen."""
    with pytest.raises(BadRequestError) as refused:
        check_device_registration(body, registration_id="device-1")

    assert (refused.value.status_code, refused.value.error_code) == (400, code)
