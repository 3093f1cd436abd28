"""When faults strike: by chance that can be repeated."""

from __future__ import annotations

import random

import pytest

from aiodps.emulator.faults import injector
from aiodps.emulator.faults.effects import Point
from aiodps.emulator.faults.injector import Fault, FaultInjector
from aiodps.emulator.faults.plan import Plan


def faults(rule: str, *, seed: int = 0) -> FaultInjector:
    """Make faults of one rule."""
    return FaultInjector(Plan.read(f"[[rule]]\n{rule}", seed=seed))


def strike(faults: FaultInjector, registration_id: str | None = "a", **more: str) -> Fault | None:
    """Ask about a register request."""
    return faults.draw(Point.REGISTER, registration_id=registration_id, transport="mqtt", **more)


def test_no_plan_no_fault() -> None:
    """That is the service on a good day."""
    assert strike(FaultInjector()) is None


def test_a_share_of_requests() -> None:
    """Is struck, more or less."""
    made = faults("share = 0.3\ndelay = 1")
    struck = sum(strike(made, f"device-{n % 50}") is not None for n in range(2000))

    assert 500 < struck < 700


def test_a_share_of_devices() -> None:
    """Is struck always, the others never."""
    made = faults("devices = 0.3\ndelay = 1")
    names = [f"device-{n}" for n in range(500)]
    struck = {name for name in names if strike(made, name)}

    assert 100 < len(struck) < 200
    assert {name for name in names if strike(made, name)} == struck


def test_the_order_of_devices_does_not_matter() -> None:
    """A request's fate depends on its device and how often that has asked, on nothing else."""
    asked = [name for name in ("a", "b", "c") for _ in range(20)]
    shuffled = random.Random(1).sample(asked, len(asked))  # noqa: S311 (no secrets here)
    fates = []
    for order in (asked, shuffled):
        made = faults("share = 0.5\ndelay = [0, 1]", seed=5)
        fate: dict[str, list[Fault | None]] = {"a": [], "b": [], "c": []}
        for name in order:
            fate[name].append(strike(made, name))

        fates.append(fate)

    assert fates[0] == fates[1]
    assert fates[0]["a"] != fates[0]["b"]


def test_another_seed_is_another_day() -> None:
    """But the same seed is the same day."""
    days = [
        [strike(made, "a") is None for _ in range(64)]
        for made in (faults("share = 0.5\ndelay = 1", seed=seed) for seed in (1, 1, 2))
    ]

    assert days[0] == days[1] != days[2]


def test_casing_does_not_matter() -> None:
    """Registration ids are the same in any."""
    made = faults("first = 1\ndelay = 1")

    assert strike(made, "DEVICE") is not None
    assert strike(made, "device") is None


def test_operations_are_counted_apart() -> None:
    """`first = 1` is the first of each kind."""
    made = faults("first = 1\ndelay = 1")
    points = (Point.REGISTER, Point.OPERATION_STATUS)

    assert all(made.draw(p, registration_id="a", transport="mqtt") for p in points)


def test_rounds_are_counted_for_each_operation() -> None:
    """A device that registers again is kept waiting again."""
    made = faults('operation = "operation status"\nassigning = 2')

    def waits(operation_id: str) -> list[bool]:
        return [
            made.draw(
                Point.OPERATION_STATUS,
                registration_id="a",
                transport="mqtt",
                operation_id=operation_id,
            )
            is not None
            for _ in range(4)
        ]

    assert waits("one") == waits("two") == [True, True, False, False]


def test_random_rounds_differ_between_devices() -> None:
    """From none to the most there may be."""
    made = faults('operation = "operation status"\nassigning = [0, 2]')
    rounds = set()
    for n in range(30):
        ask = {"registration_id": f"d{n}", "transport": "mqtt", "operation_id": "o"}
        rounds.add(sum(made.draw(Point.OPERATION_STATUS, **ask) is not None for _ in range(5)))

    assert rounds == {0, 1, 2}


def test_rules_that_strike_together_are_joined() -> None:
    """The journal names all of them."""
    plan = Plan.read(
        '[[rule]]\nname = "x"\ndelay = 1\n[[rule]]\nname = "y"\ndelay = 2\nstatus = 500'
    )
    fault = strike(FaultInjector(plan))

    assert fault is not None
    assert (fault.rules, fault.delay, fault.effect.status) == ("x + y", 1.0, 500)


def test_a_new_plan_counts_anew() -> None:
    """At once."""
    made = faults("first = 1\ndelay = 1")
    strike(made)
    made.plan = Plan.read("[[rule]]\nfirst = 1\ndelay = 2")

    fault = strike(made)
    assert fault is not None
    assert fault.delay == 2


def test_hostile_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was not seen for longest is forgotten first."""
    monkeypatch.setattr(injector, "MAX_COUNTERS", 10)
    made = faults("first = 1\ndelay = 1")
    for n in range(100):
        strike(made, f"d{n}")

    assert strike(made, "d99") is None
    assert strike(made, "d0") is not None
    assert len(made._counts._counts) == 10
    strike(made, "x" * 10_000)
    assert max(len(name or "") for _, name, _ in made._counts._counts) <= 128
