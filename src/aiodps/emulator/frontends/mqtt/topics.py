"""User names and topics of MQTT, as DPS defines them.

Source: Microsoft Learn, "Communicate with DPS using the MQTT protocol"; what clients send was
seen on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from aiodps.emulator.frontends.mqtt.codec import Connect, ProtocolViolation
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.protocol.strict_rules import StrictRule

RESPONSE_FILTER: Final = "$dps/registrations/res/#"
"""The only filter that may be subscribed to."""

_PREFIX = "$dps/registrations/"
_TOPICS: Mapping[Operation, str] = {
    Operation.REGISTER: "PUT/iotdps-register/",
    Operation.OPERATION_STATUS: "GET/iotdps-get-operationstatus/",
}
"""As the documentation writes them."""
_OPERATIONS = {topic.lower(): operation for operation, topic in _TOPICS.items()}
_MAX_RID = 256
"""Characters; clients send a UUID or a small number. It is sent back, so it is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserName:
    """The parts of an MQTT user name."""

    id_scope: str
    registration_id: str
    api_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRequest:
    """A request to the service, as its topic states it."""

    operation: Operation
    rid: str
    """Sent back exactly as received, even if percent-encoded."""
    operation_id: str | None


def read_user_name(text: str) -> UserName | None:
    """Read `{idScope}/registrations/{registrationId}/api-version={v}[&ClientVersion=...]`.

    The client version may hold anything, also slashes. Unknown keys are ignored.

    Returns:
        None if it has another shape.
    """
    id_scope, _, rest = text.partition("/")
    literal, _, rest = rest.partition("/")
    registration_id, _, query = rest.partition("/")
    if literal.lower() != "registrations" or not id_scope or not registration_id:
        return None

    return UserName(
        id_scope=unquote(id_scope),
        registration_id=unquote(registration_id),
        api_version=_parameters(query).get("api-version"),
    )


def read_topic(topic: str) -> TopicRequest:
    """Read the topic of a message to the service.

    Raises:
        ProtocolViolation: If it is not a topic of the service, or lacks `$rid`, without which
            there is no response.
    """
    path, _, query = topic.removeprefix(_PREFIX).partition("?")
    operation = _OPERATIONS.get(path.lower()) if topic.startswith(_PREFIX) else None
    if operation is None:
        raise ProtocolViolation(f"a PUBLISH to the unknown topic {topic[:80]!r}")

    parameters = _parameters(query)
    rid = parameters.get("$rid", "")
    if not 0 < len(rid) <= _MAX_RID:
        raise ProtocolViolation(f"a PUBLISH without a usable $rid: {topic[:80]!r}")

    operation_id = parameters.get("operationid")
    return TopicRequest(
        operation=operation,
        rid=rid,
        operation_id=None if operation_id is None else unquote(operation_id),
    )


def response_topic(status_code: int, rid: str, *, retry_after: str | None) -> str:
    """Write the topic of a response: `$rid` first, `retry-after` in lower case."""
    wait = "" if retry_after is None else f"&retry-after={retry_after}"
    return f"{_PREFIX}res/{status_code}/?$rid={rid}{wait}"


def _parameters(query: str) -> dict[str, str]:
    """Read `key=value` pairs; the first of repeated keys."""
    pairs = (part.partition("=") for part in reversed(query.split("&")))
    return {key.lower(): value for key, _, value in pairs}


_ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+", re.ASCII)


def connect_deviations(connect: Connect, user: UserName) -> tuple[StrictRule, ...]:
    """Return the strict rules that a CONNECT breaks."""
    known = f"{user.id_scope}/registrations/{user.registration_id}/api-version={user.api_version}"
    breaks = (
        (StrictRule.USER_NAME, not _is_canonical(connect.user_name or "", known, "ClientVersion")),
        (StrictRule.CLIENT_ID, connect.client_id != user.registration_id),
        (StrictRule.CLEAN_SESSION, not connect.clean_session),
        (StrictRule.EMPTY_PASSWORD, connect.password == b""),
    )
    return tuple(rule for rule, broken in breaks if broken)


def topic_deviations(topic: str, asked: TopicRequest) -> tuple[StrictRule, ...]:
    """Return the strict rules that a topic breaks."""
    known = f"{_PREFIX}{_TOPICS.get(asked.operation)}?$rid={asked.rid}"
    return () if _is_canonical(topic, known, "operationId") else (StrictRule.TOPIC,)


def _is_canonical(text: str, known: str, key: str) -> bool:
    """Whether a text is the known one, maybe with one more parameter, percent-encoded."""
    value = text.removeprefix(f"{known}&{key}=")
    return text == known or (value != text and _ENCODED.fullmatch(value) is not None)
