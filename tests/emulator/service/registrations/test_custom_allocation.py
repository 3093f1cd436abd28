"""Webhooks of custom allocation: the question, and what an answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.registrations.custom_allocation import (
    MAX_RESPONSE,
    Choice,
    WebhookCall,
    WebhookReply,
    allocation_request,
    read_choice,
)
from aiodps.emulator.service.registrations.hub_devices import AssignmentTerms, HubDevice

HUBS = ("toasters.azure-devices.net", "heatpumps.azure-devices.net")
CALL = WebhookCall(
    registration_id="device-1",
    url="https://example.org/?code=secret",
    request={"linkedHubs": HUBS},
    terms=AssignmentTerms(device_id="device-1"),
)


def answered(document: object, status_code: int = 200) -> WebhookReply:
    """Let the webhook answer JSON."""
    return WebhookReply(status_code=status_code, body=json.dumps(document).encode())


def test_the_question() -> None:
    """Source: Microsoft Learn, "Understand custom allocation policies with DPS", its samples."""
    group = {"enrollmentGroupId": "devices"}
    more: dict[str, Any] = {"proof": {"symmetricKey": {}}, "hubs": HUBS}
    first = allocation_request(
        group, registration_id="breakroom499", before=None, payload=None, **more
    )
    again = allocation_request(
        {"registrationId": "breakroom499"},
        registration_id="breakroom499",
        before=HubDevice(hub=HUBS[0], device_id="b"),
        payload={"model": 7},
        **more,
    )

    assert first == {
        "enrollmentGroup": group,
        "deviceRuntimeContext": {"registrationId": "breakroom499", "symmetricKey": {}},
        "linkedHubs": list(HUBS),
    }
    assert again["individualEnrollment"] == {"registrationId": "breakroom499"}
    assert again["deviceRuntimeContext"] == {
        "registrationId": "breakroom499",
        "currentIotHubHostName": HUBS[0],
        "currentDeviceId": "b",
        "symmetricKey": {},
        "payload": {"model": 7},
    }


@pytest.mark.parametrize("name", ["iotHubHostName", "iotHubHostname", "IotHubHostName"])
def test_a_choice(name: str) -> None:
    """Casing does not count, neither of names nor of hubs; twin and payload may be absent."""
    twin = {"tags": {"deviceType": "toaster"}}
    both = {name: HUBS[1].upper(), "initialTwin": twin, "payload": {"a": 1}}

    assert read_choice(CALL, answered({name: HUBS[1]})) == Choice(hub=HUBS[1])
    assert read_choice(CALL, answered({name: HUBS[1], "payload": None})) == Choice(hub=HUBS[1])
    assert read_choice(CALL, answered(both, 201)) == Choice(
        hub=HUBS[1], initial_twin=twin, payload={"a": 1}
    )


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (WebhookReply(status_code=400), "failed with status code: 400"),
        (answered({"iotHubHostName": HUBS[0]}, 302), "failed with status code: 302"),
        (WebhookReply(error="no response within 5 s"), "failed: no response within 5 s"),
        (WebhookReply(), "failed: no response"),
        (WebhookReply(status_code=200, body=b""), "not a JSON object"),
        (answered([HUBS[0]]), "not a JSON object"),
        (answered({}), "not a linked hub"),
        (answered({"iotHubHostName": "elsewhere"}), "not a linked hub"),
        (
            answered({"iotHubHostName": HUBS[0], "initialTwin": 1}),
            "initialTwin is not a JSON object",
        ),
        (WebhookReply(status_code=200, body=b" " * (MAX_RESPONSE + 1)), "larger than"),
    ],
)
def test_no_choice(reply: WebhookReply, message: str) -> None:
    """Each is 400207, as the device is told; a bad status is named as seen on the wire."""
    with pytest.raises(Refusal, match=f"Custom allocation .*{message}") as refused:
        read_choice(CALL, reply)

    assert refused.value.code == 400207


@pytest.mark.parametrize("payload", ["text", 1, [1], True])
def test_a_payload_that_is_not_an_object_is_not_delivered(payload: object) -> None:
    """The device is assigned all the same: Microsoft's own sample returns a string."""
    choice = read_choice(CALL, answered({"iotHubHostName": HUBS[0], "payload": payload}))

    assert (choice.hub, choice.payload) == (HUBS[0], None)


@given(body=st.binary(max_size=100), status_code=st.integers(min_value=100, max_value=599))
def test_any_answer(body: bytes, status_code: int) -> None:
    """Whatever a webhook says, it is a linked hub or a failure."""
    try:
        choice = read_choice(CALL, WebhookReply(status_code=status_code, body=body))
    except Refusal:
        return

    assert choice.hub in HUBS


def test_no_secret_in_the_repr() -> None:
    """The key of an Azure Function stands in its URL."""
    assert "secret" not in repr(CALL)
