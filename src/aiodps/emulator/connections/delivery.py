"""What a fault does to a response on its way, or to the connection it goes over."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Part(enum.Enum):
    """What of an answer is damage."""

    BODY = "body"
    """The JSON alone; what is around it stays right."""
    MESSAGE = "message"
    """The HTTP message or the MQTT packet as such."""


class Ending(enum.Enum):
    """How the emulator ends a connection on purpose."""

    CLOSE = "close"
    """Properly (FIN)."""
    RESET = "reset"
    """At once (RST)."""
    SILENCE = "silence"
    """Not at all: it stays open, and nothing is said any more."""


class WrongRid(enum.Enum):
    """Where an answer with a `$rid` that nobody asked with comes."""

    INSTEAD = "instead"
    """Of the right one."""
    BEFORE = "before"
    """The right one."""


class Reorder(enum.Enum):
    """Which order of MQTT packets is turned around."""

    ACKNOWLEDGEMENT = "acknowledgement"
    """The answer comes before the PUBACK of its question."""
    RESPONSES = "responses"
    """The answer comes after the next one of this connection; without a next one, never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """How slowly bytes come."""

    size: int
    """Bytes at a time."""
    every: float
    """Seconds between them; 0 for single small segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an answer is brought to the device if not simply sent: what a fault asks of a front.

    Fields that a fault file has too are called the same there, and go into this as they are.
    """

    delay: float = 0.0
    """Seconds to wait before the answer."""
    ending: Ending | None = None
    """How the connection ends; None to go on."""
    sent: bool = True
    """Whether the answer is sent at all before that."""
    acknowledged: bool = True
    """Whether MQTT acknowledges what was asked before that."""
    retry_after: str | None = None
    """What is said in place of the service's wait, "" for nothing; None to leave it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of HTTP, beside the others."""
    truncate: Part | None = None
    """Only the first half is sent."""
    garbage: Part | None = None
    """Random bytes are sent instead."""
    oversize: int = 0
    """Bytes the body has at least."""
    drip: Drip | None = None
    """None for all at once."""
    duplicate: int = 0
    """How often the answer is sent again."""
    stale: bool = False
    """The last answer of this MQTT connection comes again before this one."""
    wrong_rid: WrongRid | None = None
    """An MQTT answer for somebody else."""
    reorder: Reorder | None = None
    """Only over MQTT."""
    extra_topics: Sequence[str] = ()
    """MQTT topics of messages that come before the answer."""
    connack: int | None = None
    """Return code of a CONNACK; None to judge the CONNECT as always."""
    suback: int | None = None
    """Return code of a SUBACK; None to grant as always."""
    alert: int | None = None
    """TLS alert in answer to the ClientHello."""
    noise: int = 0
    """Where random bytes come from, so that they are the same each time."""
