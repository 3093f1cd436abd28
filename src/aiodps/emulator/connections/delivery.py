"""What a fault does to a response on its way, or to the connection it goes over."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Part(enum.Enum):
    """The part of a response that is damaged."""

    BODY = "body"
    """The JSON alone, in a valid message."""
    MESSAGE = "message"
    """The whole HTTP message or MQTT packet."""


class Ending(enum.Enum):
    """How a fault ends a connection."""

    CLOSE = "close"
    """With a proper close (FIN)."""
    RESET = "reset"
    """With a reset (RST)."""
    SILENCE = "silence"
    """Not at all: it stays open, and nothing more is sent."""


class WrongRid(enum.Enum):
    """When a response with an unknown `$rid` is sent."""

    INSTEAD = "instead"
    """In place of the right response."""
    BEFORE = "before"
    """Before the right response."""


class Reorder(enum.Enum):
    """Which order of MQTT packets is reversed."""

    ACKNOWLEDGEMENT = "acknowledgement"
    """The response is sent before the PUBACK of its request."""
    RESPONSES = "responses"
    """The response is sent after the next one of this connection, if there is a next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """A slow rate of sending."""

    size: int
    """Bytes at a time."""
    every: float
    """Seconds between them; 0 for single small segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of a response under a fault.

    Fields that are members of a fault rule too have the same names.
    """

    delay: float = 0.0
    """Seconds to wait before the response."""
    ending: Ending | None = None
    """How the connection ends; None to keep it."""
    sent: bool = True
    """Whether the response is sent before the connection ends."""
    acknowledged: bool = True
    """Whether MQTT acknowledges the request before that."""
    retry_after: str | None = None
    """Overrides the service's wait, "" for none; None to keep it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Additional headers of HTTP."""
    truncate: Part | None = None
    """Only the first half is sent."""
    garbage: Part | None = None
    """Random bytes are sent instead."""
    oversize: int = 0
    """Minimum size of the body in bytes."""
    drip: Drip | None = None
    """None for all at once."""
    duplicate: int = 0
    """Number of additional copies of the response."""
    stale: bool = False
    """The previous response of this MQTT connection is sent again before this one."""
    wrong_rid: WrongRid | None = None
    """An MQTT response with an unknown `$rid`."""
    reorder: Reorder | None = None
    """Only over MQTT."""
    extra_topics: Sequence[str] = ()
    """MQTT topics of messages that are sent before the response."""
    connack: int | None = None
    """Return code of a CONNACK; None for the regular one."""
    suback: int | None = None
    """Return code of a SUBACK; None for the regular one."""
    alert: int | None = None
    """TLS alert in answer to the ClientHello."""
    noise: int = 0
    """Seed of random bytes."""
