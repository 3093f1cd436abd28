"""Liberties that a client takes with MQTT; only `--strict` minds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiodps.emulator.fronts.mqtt311 import Connect
from aiodps.emulator.fronts.mqtt_names import Question, UserName
from aiodps.emulator.liberties import Liberty
from aiodps.emulator.wire import Operation

_ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_TOPICS = {
    Operation.REGISTER: "PUT/iotdps-register",
    Operation.OPERATION_STATUS: "GET/iotdps-get-operationstatus",
}
"""As the documentation writes them."""


def connect_liberties(connect: Connect, who: UserName) -> tuple[Liberty, ...]:
    """Name the liberties that a CONNECT takes."""
    return tuple(_of_connect(connect, who))


def topic_liberties(topic: str, question: Question) -> tuple[Liberty, ...]:
    """Name the liberties that a topic takes."""
    known = f"$dps/registrations/{_TOPICS.get(question.operation)}/?$rid={question.rid}"
    if question.operation_id is None:
        return () if topic == known else (Liberty.TOPIC,)

    rest = topic.removeprefix(f"{known}&operationId=")
    return () if rest != topic and _ENCODED.fullmatch(rest) else (Liberty.TOPIC,)


def _of_connect(connect: Connect, who: UserName) -> Iterator[Liberty]:
    if not _is_canonical(connect.user_name or "", who):
        yield Liberty.USER_NAME

    if connect.client_id != who.registration_id:
        yield Liberty.CLIENT_ID

    if not connect.clean_session:
        yield Liberty.CLEAN_SESSION

    if connect.password == b"":
        yield Liberty.EMPTY_PASSWORD


def _is_canonical(user_name: str, who: UserName) -> bool:
    known = f"{who.id_scope}/registrations/{who.registration_id}/api-version={who.api_version}"
    if user_name == known:
        return True

    version = user_name.removeprefix(f"{known}&ClientVersion=")
    return version != user_name and _ENCODED.fullmatch(version) is not None
