"""The members of a fault rule that define its effect: how each is read, and where it applies."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aiodps.emulator.connections.delivery import Drip, Ending, Part, Reorder, WrongRid
from aiodps.emulator.faults.effects import Drop, Point, Range

LONGEST_DELAY: Final = 600.0
LARGEST_BODY: Final = 64 << 20
MOST_COPIES: Final = 100
"""Bounds of a rule's values, so that a typing error does not bring down the machine."""


class WrongValueError(ValueError):
    """An invalid value of a member; the message says what is valid."""


def seconds(value: object) -> Range:
    """Read `1.5`, or `[0.5, 2]` for something in between."""
    return _range(
        value, LONGEST_DELAY, f"seconds from 0 to {LONGEST_DELAY:g}, or two such numbers"
    )


def rounds(value: object) -> Range:
    """Read a number of polls, two numbers, or `true` for all polls."""
    if value is True:
        return Range(math.inf, math.inf)

    return _range(value, 1e6, "a number of polls, two such numbers, or true for all polls")


def whole(low: int, high: int) -> Any:
    """Make a reader of whole numbers."""

    def read(value: object) -> int:
        if type(value) is int and low <= value <= high:
            return value

        raise WrongValueError(f"a whole number from {low} to {high}")

    return read


def word(kind: type[enum.Enum]) -> Any:
    """Make a reader of the values of an enumeration."""
    read_value = one_of([each.value for each in kind])
    return lambda value: kind(read_value(value))


def one_of(words: Sequence[str]) -> Any:
    """Make a reader of a few words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value

        raise WrongValueError("one of " + ", ".join(map(repr, words)))

    return read


def share(value: Any) -> float:
    """Read a share, from 0 to 1."""
    if _is_number(value, 1):
        return float(value)

    raise WrongValueError("a number from 0 to 1")


def line(value: object) -> str:
    """Read a string of one line, not empty."""
    if isinstance(value, str) and value and value.isprintable():
        return value

    raise WrongValueError("a string of one line")


def url(value: object) -> str:
    """Read a URL for a `Location` header."""
    if line(value).isascii() and " " not in line(value):
        return line(value)

    raise WrongValueError("a URL")


def topics(value: object) -> tuple[str, ...]:
    """Read a list of MQTT topics."""
    if isinstance(value, list) and value:
        return tuple(line(each) for each in value)

    raise WrongValueError("a list of strings, not empty")


def true(value: object) -> bool:
    """Read `true`; there is no `false`."""
    if value is True:
        return True

    raise WrongValueError("true; leave it out otherwise")


def wait(value: object) -> str:
    """Read a `Retry-After`: seconds, `false` for none at all, or any string."""
    if value is False:
        return ""

    if type(value) is int and value >= 0:
        return str(value)

    if isinstance(value, str) and value.isascii() and value.isprintable() and value.strip():
        return value

    raise WrongValueError("whole seconds, false for none, or any string in ASCII")


def table(value: object) -> Mapping[str, Any]:
    """Read a table of JSON members."""
    if not isinstance(value, dict) or not value:
        raise WrongValueError("a table, not empty")

    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise WrongValueError("what JSON can hold: no dates, no infinities") from exc

    return value


def drip(value: object) -> Drip:
    """Read `{ bytes = 1, every = 0.5 }`."""
    expected = "a table such as { bytes = 1, every = 0.5 }"
    if not isinstance(value, dict) or set(value) != {"bytes", "every"}:
        raise WrongValueError(expected)

    size, every = value["bytes"], value["every"]
    if type(size) is not int or size < 1 or not _is_number(every, LONGEST_DELAY):
        raise WrongValueError(expected)

    return Drip(size=size, every=float(every))


def _range(value: object, most: float, expected: str) -> Range:
    low: Any
    high: Any
    low, high = value if isinstance(value, list) and len(value) == 2 else (value, value)  # noqa: PLR2004 (a pair)
    if _is_number(low, most) and _is_number(high, most) and low <= high:
        return Range(float(low), float(high))

    raise WrongValueError(expected)


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= most


Reader: TypeAlias = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class RuleField:
    """One member of a rule."""

    read: Reader
    """Raises `WrongValueError`."""
    points: frozenset[Point] = field(default=frozenset(Point))
    """The points where it applies."""
    mqtt_only: bool = False


_DEVICE = frozenset({Point.REGISTER, Point.OPERATION_STATUS, Point.LOOKUP})
WITH_RESPONSE: Final = _DEVICE | {Point.MANAGEMENT}
"""Points with a response body."""
_SENT = WITH_RESPONSE | {Point.CONNECT, Point.SUBSCRIBE}
_POLLED = frozenset({Point.OPERATION_STATUS, Point.LOOKUP})

RULE_FIELDS: Final[Mapping[str, RuleField]] = {
    "delay": RuleField(seconds),
    "drop": RuleField(word(Drop)),
    "how": RuleField(word(Ending)),
    "status": RuleField(whole(300, 599), WITH_RESPONSE),
    "redirect": RuleField(url, WITH_RESPONSE),
    "error_code": RuleField(whole(0, 999_999), WITH_RESPONSE),
    "message": RuleField(line, WITH_RESPONSE),
    "acts": RuleField(true, WITH_RESPONSE),
    "failed": RuleField(true, _DEVICE),
    "disabled": RuleField(true, _DEVICE),
    "assigning": RuleField(rounds, _POLLED),
    "members": RuleField(table, WITH_RESPONSE),
    "retry_after": RuleField(wait, WITH_RESPONSE),
    "retry_after_date": RuleField(whole(-86400, 86400), WITH_RESPONSE),
    "truncate": RuleField(word(Part), _SENT | {Point.HANDSHAKE}),
    "garbage": RuleField(word(Part), _SENT | {Point.HANDSHAKE}),
    "oversize": RuleField(whole(1, LARGEST_BODY), _SENT),
    "drip": RuleField(drip, _SENT | {Point.HANDSHAKE}),
    "duplicate": RuleField(whole(1, MOST_COPIES), _SENT),
    "stale": RuleField(true, _DEVICE, mqtt_only=True),
    "wrong_rid": RuleField(word(WrongRid), _DEVICE, mqtt_only=True),
    "reorder": RuleField(word(Reorder), _DEVICE, mqtt_only=True),
    "extra_topics": RuleField(topics, _DEVICE, mqtt_only=True),
    "connack": RuleField(whole(1, 255), frozenset({Point.CONNECT}), mqtt_only=True),
    "suback": RuleField(whole(0, 255), frozenset({Point.SUBSCRIBE}), mqtt_only=True),
    "alert": RuleField(whole(0, 255), frozenset({Point.HANDSHAKE})),
}
"""By name; each is a field of `Effect` or of `Delivery`."""
