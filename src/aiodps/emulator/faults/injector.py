"""When a fault strikes: a pure function of the plan, the device, and how often it has asked.

Each draw is a hash of seed, rule, registration id, operation and the number of the request among
those of that device for that operation. So a run can be repeated, and it does not matter in which
order the requests of many devices arrive.
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
"""Counters that are kept, so that hostile clients cannot fill the memory; the one that was not
used for longest is forgotten first."""

MAX_COUNTED_LENGTH: Final = 128
"""Characters of an id that tell devices apart here; no real one has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one request, all draws made."""

    rules: str
    """Labels of the rules that struck, for the journal."""
    effect: Effect
    """`assigning` is None once an operation was found at work often enough."""
    delay: float = 0.0
    """Seconds."""
    noise: int = 0
    """Where random bytes come from."""


class FaultInjector:
    """Decides about faults: a plan, and how often each device has asked so far.

    Args:
        plan: To begin with; None for no faults.
    """

    def __init__(self, plan: Plan | None = None) -> None:
        self._counts = _Counts()
        self.plan = plan or Plan()

    @property
    def plan(self) -> Plan:
        """What is to happen; a new plan begins to count anew."""
        return self._plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._plan = plan
        self._rules: Mapping[Point, Sequence[Rule]] = {
            point: [rule for rule in plan.rules if point in rule.points] for point in Point
        }
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self._counts.clear()

    def draw(
        self,
        point: Point,
        *,
        registration_id: str | None,
        transport: str,
        operation_id: str | None = None,
    ) -> Fault | None:
        """Decide what happens to a request, and count it.

        Args:
            point: Where it is.
            registration_id: None if it is not known; then all such requests count as one device.
            transport: `https`, `mqtt` or `mqtt-ws`.
            operation_id: Of a poll; polls of each operation are counted for `assigning`.

        Returns:
            None if nothing happens, nearly always for nearly everybody.
        """
        rules = self._rules[point]
        if not rules:
            return None

        name = None if registration_id is None else registration_id.lower()
        number = self._counts.next((point, name, None))
        poll = self._counts.next((point, name, operation_id)) if operation_id else number
        draws = [
            _Draw(self._plan.seed, rule, name, point, number)
            for rule in rules
            if rule.fits(name, transport, number=number)
        ]
        struck = [fault for draw in draws if (fault := draw.fault(poll=poll)) is not None]
        return _join(struck) if struck else None


class _Counts:
    """How often something was asked."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Point, str | None, str | None], int] = OrderedDict()

    def next(self, what: tuple[Point, str | None, str | None]) -> int:
        """Count one more, and return the number, from 1."""
        point, name, operation_id = what
        longest = MAX_COUNTED_LENGTH
        key = point, name and name[:longest], operation_id and operation_id[:longest]
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > MAX_COUNTERS:
            self._counts.popitem(last=False)

        return count

    def clear(self) -> None:
        self._counts.clear()


@dataclass(frozen=True, slots=True)
class _Draw:
    """Chance for one rule and one request."""

    seed: int
    rule: Rule
    registration_id: str | None
    point: Point
    number: int

    def fault(self, *, poll: int) -> Fault | None:
        """Decide what the rule does; None if it does nothing this time."""
        if not self._strikes():
            return None

        effect = self.rule.effect
        rounds = effect.assigning
        if rounds is not None and poll > rounds.whole(self._of_device("assigning")):
            effect = replace(effect, assigning=None)

        if effect == NOTHING:
            return None

        delay = effect.delay.at(self._of_request("delay")) if effect.delay else 0.0
        noise = _hash(*self._who(), str(self.number), "noise")
        return Fault(rules=self.rule.label, effect=effect, delay=delay, noise=noise)

    def _strikes(self) -> bool:
        devices, share = self.rule.devices, self.rule.share
        return (devices == 1 or self._of_device("devices") < devices) and (
            share == 1 or self._of_request("share") < share
        )

    def _of_request(self, what: str) -> float:
        """Draw a number from 0 to below 1 for this request."""
        return _hash(*self._who(), str(self.number), what) / 2**64

    def _of_device(self, what: str) -> float:
        """Draw one that is the same for all requests of the device."""
        return _hash(str(self.seed), self.rule.label, self.registration_id or "", what) / 2**64

    def _who(self) -> tuple[str, ...]:
        return str(self.seed), self.rule.label, self.registration_id or "", self.point.value


def _join(faults: Sequence[Fault]) -> Fault:
    """Do what several rules say; the first that speaks of a delay decides how long it is."""
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
