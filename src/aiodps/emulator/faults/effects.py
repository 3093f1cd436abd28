"""What a fault does, and where it may strike."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from aiodps.emulator.connections.delivery import Delivery, Ending


class Point(enum.Enum):
    """Where a fault may strike; the values are the words of a fault file."""

    HANDSHAKE = "handshake"
    """A connection begins, before the first byte of TLS is answered; who it is, is not known."""
    CONNECT = "connect"
    """A CONNECT of MQTT."""
    SUBSCRIBE = "subscribe"
    """A SUBSCRIBE of MQTT."""
    REGISTER = "register"
    OPERATION_STATUS = "operation status"
    LOOKUP = "lookup"
    """Device registration status look-up, HTTPS only."""
    MANAGEMENT = "management"
    """Service API and resource manager, which concern no device."""


class Drop(enum.Enum):
    """When a connection is ended."""

    BEFORE = "before"
    """Nothing reaches the service."""
    AFTER = "after"
    """The service acts, and its answer is lost."""
    SENT = "sent"
    """The answer is sent, and the connection ends right behind it."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number, or two between which one is drawn."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """Return the number that lies at this share (0 to 1) of the range."""
        return self.low if self.low == self.high else self.low + (self.high - self.low) * share

    def whole(self, share: float) -> float:
        """Return the whole number that lies there, both ends included."""
        if self.low == self.high:
            return self.low

        return math.floor(self.low + (self.high - self.low + 1) * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a fault does; None wherever a rule says nothing."""

    delay: Range | None = None
    """Seconds before the answer."""
    drop: Drop | None = None
    """The connection ends."""
    how: Ending | None = None
    """How it does that; None for properly."""
    status: int | None = None
    """Answered in place of the service, which is not asked unless `acts`."""
    redirect: str | None = None
    """URL that the client is sent to, with status 307 unless `status` says another."""
    error_code: int | None = None
    """Of the error body; None for the status times a thousand."""
    message: str | None = None
    """The same in words."""
    acts: bool | None = None
    """Whether the service acts although another answer is given."""
    failed: bool | None = None
    """The registration has failed."""
    disabled: bool | None = None
    """The registration is answered with `disabled`."""
    assigning: Range | None = None
    """How many polls of an operation find it still at work; infinite for ever."""
    members: Mapping[str, Any] | None = field(default=None, repr=False)
    """Put into the JSON of the answer, objects into objects."""
    retry_after_date: int | None = None
    """Seconds from now, said as an HTTP date."""
    delivery: Delivery = field(default_factory=Delivery)
    """What a front alone carries out; all else in it is left as it is."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Make the effect of what a rule says, by the words of a fault file.

        What is no field of an effect is one of its delivery.
        """
        own = {name: value for name, value in said.items() if name in _OWN}
        rest = {name: value for name, value in said.items() if name not in _OWN}
        return cls(**own, delivery=Delivery(**rest))

    def merge(self, later: Effect) -> Effect:
        """Join with the effect of a later rule, which adds what this one says nothing about.

        How the answer is made and how the connection ends are each taken from one rule.
        """
        mine = self._said()
        closed = {name for group in _WHOLE if mine.keys() & group for name in group}
        added = {name: value for name, value in later._said().items() if name not in closed}
        return Effect.of(added | mine)

    def _said(self) -> dict[str, Any]:
        """Return what a rule said to make this."""
        said = {name: getattr(self, name) for name in _OWN if getattr(self, name) is not None}
        for each in fields(Delivery):
            value = getattr(self.delivery, each.name)
            if value != getattr(NOTHING.delivery, each.name):
                said[each.name] = value

        return said

    @property
    def reaches_service(self) -> bool:
        """Whether the service hears of the request."""
        replaced = self.status is not None or self.redirect is not None
        return self.drop is not Drop.BEFORE and (bool(self.acts) or not replaced)


ANSWERS: Final = frozenset({"status", "redirect", "failed", "disabled", "assigning"})
"""Members that say what is answered: one rule has one of them at most, `redirect` beside
`status` excepted."""
_WHOLE = (ANSWERS | {"error_code", "message", "acts"}, frozenset({"drop", "how"}))


_OWN = frozenset(each.name for each in fields(Effect)) - {"delivery"}
NOTHING: Final = Effect()
