"""A fault plan: the rules of a fault file in TOML, which is checked strictly.

    seed = 7

    [[rule]]
    name = "a busy hour"
    registration_id = "press-*"
    operation = ["register", "operation status"]
    share = 0.2
    status = 429
    retry_after = 5

A rule says which requests it applies to and what happens to them. All rules that apply to a
request take effect; where two set the same field, the earlier one wins.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from aiodps.emulator.connections.delivery import Part
from aiodps.emulator.faults.effects import RESPONSES, Drop, Effect, Point
from aiodps.emulator.faults.rule_fields import (
    RULE_FIELDS,
    WITH_RESPONSE,
    WrongValueError,
    line,
    one_of,
    share,
    whole,
    word,
)
from aiodps.errors import ConfigurationError

TRANSPORTS: Final = ("https", "mqtt", "mqtt-ws")
ANYBODY: Final = ("*",)
_DEFAULT_POINTS = (Point.REGISTER, Point.OPERATION_STATUS, Point.LOOKUP)
_SEEDS = whole(-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault rule: the requests it applies to, and its effect."""

    label: str
    """Its name, or `rule 2` if it has none; part of each draw."""
    registration_ids: tuple[str, ...] = ANYBODY
    """Patterns of `fnmatch`, in lower case, as registration ids are compared."""
    points: frozenset[Point] = frozenset(_DEFAULT_POINTS)
    transports: frozenset[str] = frozenset(TRANSPORTS)
    share: float = 1.0
    """Share of the matching requests that are affected."""
    devices: float = 1.0
    """Share of the devices that may be affected at all."""
    after: int = 0
    """Number of requests of the device for that operation that are skipped."""
    first: int | None = None
    """How many of the following may be affected; None for all."""
    every: int = 1
    """Only every N-th of these."""
    effect: Effect

    def matches(self, registration_id: str | None, transport: str, *, number: int) -> bool:
        """Whether the rule matches a request, before any draw.

        Args:
            registration_id: In lower case; None if it is unknown, which only `*` matches.
            transport: `https`, `mqtt` or `mqtt-ws`.
            number: Of the request among those of the device for this operation, from 1.
        """
        number -= self.after
        if number < 1 or (self.first is not None and number > self.first) or number % self.every:
            return False

        if transport not in self.transports:
            return False

        name = registration_id or ""
        return any(
            pattern == "*" or (registration_id is not None and fnmatchcase(name, pattern))
            for pattern in self.registration_ids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rules, and the seed of all draws."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    text: str = field(default="", repr=False)
    """The TOML it was read from."""

    @classmethod
    def read(cls, toml: str, *, seed: int | None = None) -> Plan:
        """Read a plan.

        Args:
            toml: As in a fault file.
            seed: Overrides the file's; None for that, or 0.

        Raises:
            ConfigurationError: If it is invalid; the message names rule and member.
        """
        try:
            document = tomllib.loads(toml)
        except (ValueError, RecursionError) as exc:  # also numbers that are too long
            raise _fault(f"this is not TOML: {exc}") from exc

        _check_names(document, ("seed", "rule"), "the fault file")
        tables = document.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            raise _fault("'rule' is not a list of tables", "begin each rule with [[rule]]")

        written = _value("the fault file", "seed", document.get("seed", 0), _SEEDS)
        rules = tuple(_rule(each, index) for index, each in enumerate(tables, 1))
        labels = [rule.label for rule in rules]
        for label in labels:
            if labels.count(label) > 1:
                raise _fault(f"two rules are called {label!r}", "give each rule its own name")

        return cls(rules=rules, seed=written if seed is None else seed, text=toml)

    def then(self, later: Plan) -> Plan:
        """Append the rules of another plan; the seed stays."""
        text = "\n".join(filter(None, (self.text, later.text)))
        return Plan(rules=self.rules + later.rules, seed=self.seed, text=text)


_MATCHERS = (
    "name", "registration_id", "operation", "transport", "share", "devices", "after", "first",
    "every",
)  # fmt: skip


def _rule(table: Mapping[str, Any], index: int) -> Rule:
    label = _value(f"rule {index}", "name", table.get("name", f"rule {index}"), line)
    where = f"rule {index}" if label == f"rule {index}" else f"rule {index} ({label!r})"
    _check_names(table, (*_MATCHERS, *RULE_FIELDS), where)

    def member(name: str, default: Any, read: Any) -> Any:
        return default if name not in table else _value(where, name, table[name], read)

    ids = tuple(each.lower() for each in member("registration_id", ANYBODY, _several(line)))
    points = set(member("operation", _DEFAULT_POINTS, _several(word(Point))))
    if Point.HANDSHAKE in points and ids != ANYBODY:
        raise _fault(
            f"{where}: the registration id is not known yet at a handshake",
            "leave registration_id out, or use the operation 'connect' or 'register'",
        )

    transports = member("transport", TRANSPORTS, _several(one_of(TRANSPORTS)))
    effect = _effect(table, where, points, transports)
    return Rule(
        label=label,
        registration_ids=ids,
        points=frozenset(points),
        transports=frozenset(transports),
        share=member("share", 1.0, share),
        devices=member("devices", 1.0, share),
        after=member("after", 0, whole(0, 10**9)),
        first=member("first", None, whole(1, 10**9)),
        every=member("every", 1, whole(1, 10**9)),
        effect=effect,
    )


def _effect(
    table: Mapping[str, Any], where: str, points: set[Point], transports: Sequence[str]
) -> Effect:
    values = {}
    for name in table:
        known = RULE_FIELDS.get(name)
        if known is None:
            continue

        values[name] = _value(where, name, table[name], known.read)
        possible = WITH_RESPONSE if values[name] is Part.BODY else known.points
        for point in points - possible:
            raise _fault(f"{where}: {name} cannot happen at {point.value!r}")

        if known.mqtt_only and tuple(transports) == ("https",):
            raise _fault(f"{where}: {name} is for MQTT, but transport is 'https'")

    if not values:
        raise _fault(f"{where} has no effect", f"give at least one of: {', '.join(RULE_FIELDS)}")

    _check_together(values, where)
    return Effect.of(values)


def _check_together(values: Mapping[str, Any], where: str) -> None:
    """Refuse members that contradict each other, or need another one."""
    answers = sorted(RESPONSES & set(values))
    if len(answers) > 1 and answers != ["redirect", "status"]:
        raise _fault(f"{where}: {' and '.join(answers)} contradict each other")

    for name, others in _NEEDS.items():
        if name in values and not others & set(values):
            needed = " or ".join(sorted(others))
            raise _fault(f"{where}: {name} has no effect without {needed}")

    if {"retry_after", "retry_after_date"} <= set(values):
        raise _fault(f"{where}: retry_after and retry_after_date contradict each other")

    if values.get("drop", Drop.SENT) is not Drop.SENT and {"duplicate", "truncate"} & set(values):
        raise _fault(f"{where}: a response that is dropped cannot be changed")


_NEEDS: Mapping[str, frozenset[str]] = {
    "how": frozenset({"drop"}),
    "acts": frozenset({"status", "redirect"}),
    "error_code": frozenset({"status", "failed"}),
    "message": frozenset({"status", "failed"}),
}


def _several(read: Any) -> Any:
    """Make a reader of one value or a list of them."""

    def read_all(value: object) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise WrongValueError("one value or a list of some")

        return tuple(read(each) for each in values)

    return read_all


def _value(where: str, name: str, value: object, read: Any) -> Any:
    try:
        return read(value)
    except WrongValueError as exc:
        raise _fault(f"{where}: {name} is {repr(value)[:60]}, not {exc}") from exc


def _check_names(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise _fault(f"{where} has an unknown member {name!r}", f"known: {', '.join(known)}")


def _fault(message: str, hint: str | None = None) -> ConfigurationError:
    return ConfigurationError(
        message, setting="faults", hint=hint or "correct or remove that rule"
    )
