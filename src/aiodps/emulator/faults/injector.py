"""Fault draws: a pure function of the plan, the device, and the number of its requests.

Each draw is a hash of seed, rule, registration id, operation and the number of the request among
those of that device for that operation. So a run can be repeated, whatever the order in which the
requests of many devices arrive.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiodps.emulator.faults.effects import NOTHING, Effect, Point
from aiodps.emulator.faults.plan import Plan, Rule

MAX_COUNTERS: Final = 100_000
"""Counters that are kept, so that hostile clients cannot fill the memory; the least recently used
one is dropped first."""

MAX_COUNTED_LENGTH: Final = 128
"""Characters of an id that are compared; no real one has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The fault of one request, all draws made."""

    rules: str
    """Labels of the rules that applied, for the request log."""
    effect: Effect
    """`assigning` is None once an operation was in progress for enough polls."""
    delay: float = 0.0
    """Seconds."""
    noise: int = 0
    """Seed of random bytes."""


class FaultInjector:
    """Draws the faults of a plan, and counts the requests of each device.

    Args:
        plan: The initial plan; None for no faults.
    """

    def __init__(self, plan: Plan | None = None) -> None:
        self._counts = _Counts()
        self.plan = plan or Plan()

    @property
    def plan(self) -> Plan:
        """The current plan; a new one resets the counters."""
        return self._plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._plan = plan
        self._rules: Mapping[Point, Sequence[Rule]] = {
            point: [rule for rule in plan.rules if point in rule.points] for point in Point
        }
        self.reset()

    def reset(self) -> None:
        """Reset the counters."""
        self._counts.clear()

    def draw(
        self,
        point: Point,
        *,
        registration_id: str | None,
        transport: str,
        operation_id: str | None = None,
    ) -> Fault | None:
        """Count a request, and draw its fault.

        Args:
            point: Of the request.
            registration_id: None if it is unknown; all such requests count as one device.
            transport: `https`, `mqtt` or `mqtt-ws`.
            operation_id: Of a poll; polls of each operation are counted for `assigning`.

        Returns:
            None if no fault applies.
        """
        if not self._plan.rules or not (rules := self._rules[point]):
            return None

        name = None if registration_id is None else registration_id.lower()
        number = self._counts.next((point, name, None))
        poll = self._counts.next((point, name, operation_id)) if operation_id else number
        draws = [
            _Draw(self._plan.seed, rule, name, point, number)
            for rule in rules
            if rule.matches(name, transport, number=number)
        ]
        drawn = [fault for draw in draws if (fault := draw.fault(poll=poll)) is not None]
        return _join(drawn) if drawn else None


class _Counts:
    """Counters of requests."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Point, str | None, str | None], int] = OrderedDict()

    def next(self, what: tuple[Point, str | None, str | None]) -> int:
        """Count one more and return the new count."""
        point, name, operation_id = what
        longest = MAX_COUNTED_LENGTH
        key = point, name and name[:longest], operation_id and operation_id[:longest]
        self._counts[key] = count = self._counts.pop(key, 0) + 1
        if len(self._counts) > MAX_COUNTERS:
            self._counts.popitem(last=False)

        return count

    def clear(self) -> None:
        self._counts.clear()


@dataclass(frozen=True, slots=True)
class _Draw:
    """The draws of one rule for one request."""

    seed: int
    rule: Rule
    registration_id: str | None
    point: Point
    number: int

    def fault(self, *, poll: int) -> Fault | None:
        """Return the fault of the rule; None if it does not apply this time."""
        if not self._applies():
            return None

        effect = self.rule.effect
        rounds = effect.assigning
        if rounds is not None and poll > rounds.whole(self._of_device("assigning")):
            effect = replace(effect, assigning=None)

        if effect == NOTHING:
            return None

        delay = effect.delay.at(self._of_request("delay")) if effect.delay else 0.0
        noise = _hash(*self._key(), str(self.number), "noise")
        return Fault(rules=self.rule.label, effect=effect, delay=delay, noise=noise)

    def _applies(self) -> bool:
        devices, share = self.rule.devices, self.rule.share
        return (devices == 1 or self._of_device("devices") < devices) and (
            share == 1 or self._of_request("share") < share
        )

    def _of_request(self, what: str) -> float:
        """Draw a number from 0 to below 1 for this request."""
        return _hash(*self._key(), str(self.number), what) / 2**64

    def _of_device(self, what: str) -> float:
        """Draw a number that is the same for all requests of the device."""
        return _hash(str(self.seed), self.rule.label, self.registration_id or "", what) / 2**64

    def _key(self) -> tuple[str, ...]:
        return str(self.seed), self.rule.label, self.registration_id or "", self.point.value


def _join(faults: Sequence[Fault]) -> Fault:
    """Merge the faults of several rules; the first delay wins."""
    effect = faults[0].effect
    for each in faults[1:]:
        effect = effect.merge(each.effect)

    return Fault(
        rules=" + ".join(each.rules for each in faults),
        effect=effect,
        delay=next((each.delay for each in faults if each.effect.delay), 0.0),
        noise=faults[0].noise,
    )


def _hash(*parts: str) -> int:
    # A length before each part, so that no two lists of parts read the same.
    data = "".join(f"{len(part)}:{part}" for part in parts).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
