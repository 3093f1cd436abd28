"""The body of a register request."""

from __future__ import annotations

import pytest

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.messages import Operation, Request, Transport
from aiodps.emulator.service.registrations.request_bodies import read_registration


def request(body: bytes, transport: Transport = Transport.HTTPS) -> Request:
    """Let `device-1` send a body."""
    return Request(
        operation=Operation.REGISTER,
        id_scope="s",
        registration_id="device-1",
        api_version="2019-03-31",
        body=body,
        transport=transport,
    )


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
    ],
)
def test_bodies_of_real_clients(body: bytes) -> None:
    """Source: what Microsoft's SDKs for Python, Node, C and C# send, and the articles' curl."""
    read_registration(request(body))


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
        (b'{"payload":{"a":' + b"[" * 70 + b"]" * 70 + b"}}", 400004),
        (b'{"payload":{"a":1e999}}', 400004),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bodies_that_are_refused(body: bytes, code: int) -> None:
    """Each with the code that the service was seen to give, where it was seen."""
    with pytest.raises(Refusal) as refused:
        read_registration(request(body))

    assert (refused.value.status_code, refused.value.code) == (code // 1000, code)


def test_a_tpm_over_mqtt() -> None:
    """TPM attestation is not available there, whoever is enrolled."""
    with pytest.raises(Refusal) as refused:
        read_registration(request(b'{"tpm":{"endorsementKey":"AAAA"}}', Transport.MQTT))

    assert refused.value.code == 400012


def test_the_payload_is_kept() -> None:
    """A webhook may want it, in any casing of its name."""
    assert read_registration(request(b"{}")).payload is None
    assert read_registration(request(b'{"Payload":{"a":[1]}}')).payload == {"a": [1]}
