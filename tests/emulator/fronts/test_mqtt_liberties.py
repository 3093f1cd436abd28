"""Liberties with MQTT."""

from __future__ import annotations

from typing import Any

import pytest

from aiodps.emulator.fronts.mqtt311 import Connect
from aiodps.emulator.fronts.mqtt_liberties import connect_liberties, topic_liberties
from aiodps.emulator.fronts.mqtt_names import read_topic, read_user_name
from aiodps.emulator.liberties import Liberty

USER = "0ne1/registrations/dev-1/api-version=2019-03-31"
PUT = "$dps/registrations/PUT/iotdps-register/"
GET = "$dps/registrations/GET/iotdps-get-operationstatus/"


def taken(**more: Any) -> tuple[Liberty, ...]:
    """Name the liberties of a CONNECT."""
    options = {"client_id": "dev-1", "user_name": USER, "clean_session": True, **more}
    connect = Connect(keep_alive=60, **options)
    who = read_user_name(options["user_name"])
    assert who is not None
    return connect_liberties(connect, who)


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
    assert taken(user_name=user) == (Liberty.USER_NAME,)


def test_connects() -> None:
    """What the flags and the other texts of a CONNECT say."""
    assert taken(clean_session=False) == (Liberty.CLEAN_SESSION,)
    assert taken(client_id="DEV-1") == (Liberty.CLIENT_ID,)
    assert taken(password=b"") == (Liberty.EMPTY_PASSWORD,)


@pytest.mark.parametrize(
    ("topic", "liberties"),
    [
        (f"{PUT}?$rid=1", ()),
        (f"{GET}?$rid=a-b&operationId=5.ab%2Dc.d", ()),
        ("$dps/registrations/put/iotdps-register/?$rid=1", (Liberty.TOPIC,)),
        (f"{PUT}?$rid=1&x=2", (Liberty.TOPIC,)),
        (f"{GET}?operationId=5.a.b&$rid=1", (Liberty.TOPIC,)),
        (f"{GET}?$rid=1&operationId=5.a/b", (Liberty.TOPIC,)),
        (f"{GET}?$rid=1&operationid=5.a.b", (Liberty.TOPIC,)),
    ],
)
def test_topics(topic: str, liberties: tuple[Liberty, ...]) -> None:
    """`$rid` first, then the operation id, nothing else."""
    assert topic_liberties(topic, read_topic(topic)) == liberties
