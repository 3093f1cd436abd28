"""User names and topics: what real clients send is read, what they cannot read is never written."""

from __future__ import annotations

from typing import Any

import pytest

from aiodps.emulator.frontends.mqtt.codec import Connect, ProtocolViolation
from aiodps.emulator.frontends.mqtt.topics import (
    TopicRequest,
    UserName,
    connect_deviations,
    read_topic,
    read_user_name,
    response_topic,
    topic_deviations,
)
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.protocol.strict_rules import StrictRule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "0ne1/registrations/dev-1/api-version=2019-03-31",
            ("0ne1", "dev-1", "2019-03-31"),
            id="by hand",
        ),
        pytest.param(
            "0ne1/registrations/dev-1/api-version=2019-03-31&ClientVersion=azure-iot-device%2F2.14",
            ("0ne1", "dev-1", "2019-03-31"),
            id="azure-iot-device, node",
        ),
        pytest.param(
            "0ne1/registrations/dev-1/api-version=2021-06-01&ClientVersion=a/1 (x; y=z) & co",
            ("0ne1", "dev-1", "2021-06-01"),
            id="client version as raw text",
        ),
        pytest.param(
            "0ne1/Registrations/a:b/model-id=dtmi&API-Version=1", ("0ne1", "a:b", "1"), id="order"
        ),
        pytest.param("0ne1/registrations/dev-1/", ("0ne1", "dev-1", None), id="no version"),
        pytest.param("0ne1/registrations/dev-1", ("0ne1", "dev-1", None), id="no query"),
        pytest.param(
            "0ne1/registrations/dev%3A1/api-version=1&api-version=2",
            ("0ne1", "dev:1", "1"),
            id="encoded, and one key twice",
        ),
    ],
)
def test_user_names_are_read(text: str, expected: tuple[str, str, str | None]) -> None:
    """All the forms that clients use."""
    id_scope, registration_id, api_version = expected

    assert read_user_name(text) == UserName(
        id_scope=id_scope, registration_id=registration_id, api_version=api_version
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dev",
        "hub.azure-devices.net/dev/?api-version=1",
        "/registrations/d/",
        "s/registrations//v",
    ],
)
def test_other_user_names_are_none(text: str) -> None:
    """A user name of IoT Hub, for example, is not one of DPS."""
    assert read_user_name(text) is None


@pytest.mark.parametrize(
    ("topic", "asked"),
    [
        pytest.param(
            "$dps/registrations/PUT/iotdps-register/?$rid=1",
            TopicRequest(operation=Operation.REGISTER, rid="1", operation_id=None),
            id="register",
        ),
        pytest.param(
            "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=a%2Fb&operationId=5.ab%2Dc.d",
            TopicRequest(
                operation=Operation.OPERATION_STATUS, rid="a%2Fb", operation_id="5.ab-c.d"
            ),
            id="poll: only the operation id is decoded",
        ),
        pytest.param(
            "$dps/registrations/put/IotDps-Register/?$rid=1&x=2",
            TopicRequest(operation=Operation.REGISTER, rid="1", operation_id=None),
            id="any case, unknown keys",
        ),
    ],
)
def test_topics_are_read(topic: str, asked: TopicRequest) -> None:
    """What the device asks, and under which `$rid`."""
    assert read_topic(topic) == asked


@pytest.mark.parametrize(
    "topic",
    [
        "devices/dev/messages/events/",
        "put/iotdps-register/?$rid=1",
        "$dps/registrations/PUT/iotdps-register/",
        "$dps/registrations/PUT/iotdps-register/?$rid=",
        "$dps/registrations/PUT/iotdps-register/?$rid=" + "x" * 257,
        "$dps/registrations/PUT/iotdps-sing/?$rid=1",
    ],
)
def test_what_cannot_be_answered_ends_the_connection(topic: str) -> None:
    """Silence would leave the client waiting for ever."""
    with pytest.raises(ProtocolViolation):
        read_topic(topic)


def test_answers_have_the_one_form_all_clients_read() -> None:
    """`$rid` first and as it came, `retry-after` in lower case, no further `$`."""
    waiting = response_topic(202, "a%2Fb", retry_after="3")

    assert waiting == "$dps/registrations/res/202/?$rid=a%2Fb&retry-after=3"
    assert response_topic(200, "1", retry_after=None) == "$dps/registrations/res/200/?$rid=1"


USER = "0ne1/registrations/dev-1/api-version=2019-03-31"
PUT = "$dps/registrations/PUT/iotdps-register/"
GET = "$dps/registrations/GET/iotdps-get-operationstatus/"


def taken(**more: Any) -> tuple[StrictRule, ...]:
    """Name the liberties of a CONNECT."""
    options = {"client_id": "dev-1", "user_name": USER, "clean_session": True, **more}
    connect = Connect(keep_alive=60, **options)
    user = read_user_name(options["user_name"])
    assert user is not None
    return connect_deviations(connect, user)


@pytest.mark.parametrize("user", [USER, f"{USER}&ClientVersion=aiodps%2F0.1"])
def test_none_is_taken(user: str) -> None:
    """With a client version or without."""
    assert taken(user_name=user) == ()
    assert taken(user_name=user, password=b"SharedAccessSignature ...") == ()


@pytest.mark.parametrize(
    "user",
    [
        f"{USER}&ClientVersion=a/1 (x)",
        f"{USER}&ClientVersion=",
        f"{USER}&model-id=dtmi",
        "0ne1/Registrations/dev-1/api-version=2019-03-31",
        "0ne1/registrations/dev-1/ClientVersion=a&api-version=2019-03-31",
        "0ne1/registrations/dev-1",
    ],
)
def test_user_names(user: str) -> None:
    """Raw text, unknown keys, other casings, another order."""
    assert taken(user_name=user) == (StrictRule.USER_NAME,)


def test_connects() -> None:
    """What the flags and the other texts of a CONNECT say."""
    assert taken(clean_session=False) == (StrictRule.CLEAN_SESSION,)
    assert taken(client_id="DEV-1") == (StrictRule.CLIENT_ID,)
    assert taken(password=b"") == (StrictRule.EMPTY_PASSWORD,)


@pytest.mark.parametrize(
    ("topic", "deviations"),
    [
        (f"{PUT}?$rid=1", ()),
        (f"{GET}?$rid=a-b&operationId=5.ab%2Dc.d", ()),
        ("$dps/registrations/put/iotdps-register/?$rid=1", (StrictRule.TOPIC,)),
        (f"{PUT}?$rid=1&x=2", (StrictRule.TOPIC,)),
        (f"{GET}?operationId=5.a.b&$rid=1", (StrictRule.TOPIC,)),
        (f"{GET}?$rid=1&operationId=5.a/b", (StrictRule.TOPIC,)),
        (f"{GET}?$rid=1&operationid=5.a.b", (StrictRule.TOPIC,)),
    ],
)
def test_topics(topic: str, deviations: tuple[StrictRule, ...]) -> None:
    """`$rid` first, then the operation id, nothing else."""
    assert topic_deviations(topic, read_topic(topic)) == deviations
