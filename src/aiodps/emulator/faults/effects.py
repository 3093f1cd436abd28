"""The effect of a fault, and the points where it may apply."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from aiodps.emulator.connections.delivery import Delivery, Ending


class Point(enum.Enum):
    """Where a fault may apply; the values are those of `operation` in a fault file."""

    HANDSHAKE = "handshake"
    """A new connection, before TLS; the device is not known yet."""
    CONNECT = "connect"
    """An MQTT CONNECT."""
    SUBSCRIBE = "subscribe"
    """An MQTT SUBSCRIBE."""
    REGISTER = "register"
    OPERATION_STATUS = "operation status"
    LOOKUP = "lookup"
    """Device registration status look-up, HTTPS only."""
    MANAGEMENT = "management"
    """Service API and Azure Resource Manager, which concern no device."""


class Drop(enum.Enum):
    """When a connection is closed."""

    BEFORE = "before"
    """Before the request reaches the service."""
    AFTER = "after"
    """After the service has acted; the response is lost."""
    SENT = "sent"
    """Right after the response is sent."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number, or a range to draw one from."""

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
    """The effect of a fault; None where a rule sets nothing."""

    delay: Range | None = None
    """Seconds before the response."""
    drop: Drop | None = None
    """When the connection is closed."""
    how: Ending | None = None
    """How it is closed; None for a proper close."""
    status: int | None = None
    """Status of a response in place of the service's, which acts only if `acts` says so."""
    redirect: str | None = None
    """URL to redirect to, with status 307 unless `status` is set."""
    error_code: int | None = None
    """Of the error body; None for the status times a thousand."""
    message: str | None = None
    """Message of the error body."""
    acts: bool | None = None
    """Whether the service acts although its response is replaced."""
    failed: bool | None = None
    """The registration has failed."""
    disabled: bool | None = None
    """The registration status is `disabled`."""
    assigning: Range | None = None
    """How many polls of an operation find it in progress; infinity for all."""
    members: Mapping[str, Any] | None = field(default=None, repr=False)
    """Merged into the JSON of the response."""
    retry_after_date: int | None = None
    """Seconds from now, sent as an HTTP date."""
    delivery: Delivery = field(default_factory=Delivery)
    """The part that is carried out by the frontend."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make an effect of the members of a fault rule.

        Members that are not fields of the effect are fields of its delivery.
        """
        own = {name: value for name, value in values.items() if name in _OWN}
        rest = {name: value for name, value in values.items() if name not in _OWN}
        return cls(**own, delivery=Delivery(**rest))

    def merge(self, later: Effect) -> Effect:
        """Merge with the effect of a later rule, which adds what this one does not set.

        The response and the end of the connection are each taken from one rule.
        """
        mine = self._set_fields()
        closed = {name for group in _WHOLE if mine.keys() & group for name in group}
        added = {name: value for name, value in later._set_fields().items() if name not in closed}
        return Effect.of(added | mine)

    def _set_fields(self) -> dict[str, Any]:
        """Return the fields that are set."""
        values = {name: getattr(self, name) for name in _OWN if getattr(self, name) is not None}
        for each in fields(Delivery):
            value = getattr(self.delivery, each.name)
            if value != getattr(NOTHING.delivery, each.name):
                values[each.name] = value

        return values

    @property
    def reaches_service(self) -> bool:
        """Whether the request reaches the service."""
        replaced = self.status is not None or self.redirect is not None
        return self.drop is not Drop.BEFORE and (bool(self.acts) or not replaced)


RESPONSES: Final = frozenset({"status", "redirect", "failed", "disabled", "assigning"})
"""Members that define the response: a rule has at most one of them, except `redirect` with
`status`."""
_WHOLE = (RESPONSES | {"error_code", "message", "acts"}, frozenset({"drop", "how"}))


_OWN = frozenset(each.name for each in fields(Effect)) - {"delivery"}
NOTHING: Final = Effect()
