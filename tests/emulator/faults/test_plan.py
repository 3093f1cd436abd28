"""Fault files: what is read, and that no mistake goes unsaid."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.faults.effects import Effect, Point
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan, Rule
from aiodps.emulator.faults.rule_fields import RULE_FIELDS
from aiodps.errors import ConfigurationError


def rule(text: str) -> Rule:
    """Read one rule."""
    return Plan.read(f"[[rule]]\n{text}").rules[0]


def test_a_whole_rule() -> None:
    """Whom it strikes, and what happens."""
    plan = Plan.read(
        """
        seed = 7
        [[rule]]
        name = "a busy hour"
        registration_id = "Press-*"
        operation = ["register", "lookup"]
        transport = "https"
        share = 0.2
        devices = 0.5
        after = 1
        first = 2
        every = 3
        status = 429
        """
    )

    assert plan.seed == 7
    assert plan.rules == (
        Rule(
            label="a busy hour",
            registration_ids=("press-*",),
            points=frozenset({Point.REGISTER, Point.LOOKUP}),
            transports=frozenset({"https"}),
            share=0.2,
            devices=0.5,
            after=1,
            first=2,
            every=3,
            effect=Effect(status=429),
        ),
    )


def test_nothing_is_a_plan() -> None:
    """Without rules."""
    assert Plan.read("") == Plan()


def test_a_seed_may_come_from_elsewhere() -> None:
    """It replaces the file's."""
    assert Plan.read("seed = 1", seed=2).seed == 2


def test_a_rule_is_about_devices_unless_it_says_otherwise() -> None:
    """All that a device asks of the service, in all ways."""
    read = rule("delay = 1")

    assert read.points == {Point.REGISTER, Point.OPERATION_STATUS, Point.LOOKUP}
    assert read.transports == {"https", "mqtt", "mqtt-ws"}
    assert read.label == "rule 1"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("first = 2", [1, 2]),
        ("after = 2", [3, 4, 5, 6, 7]),
        ("every = 3", [3, 6]),
        ("after = 1\nfirst = 4\nevery = 2", [3, 5]),
    ],
)
def test_counting(text: str, numbers: list[int]) -> None:
    """`after` comes first, and the others count from there."""
    read = rule(f"{text}\ndelay = 1")

    assert [n for n in range(1, 8) if read.matches("a", "mqtt", number=n)] == numbers


@pytest.mark.parametrize(
    ("patterns", "fitting"),
    [
        ('"*"', [None, "press-1", "drill-1"]),
        ('"PRESS-?"', ["press-1"]),
        ('["a", "d*"]', ["drill-1"]),
    ],
)
def test_patterns(patterns: str, fitting: list[str | None]) -> None:
    """In any casing; who is not known is only part of everybody."""
    read = rule(f"registration_id = {patterns}\ndelay = 1")

    assert [
        n for n in (None, "press-1", "drill-1") if read.matches(n, "mqtt", number=1)
    ] == fitting


def test_the_transport_counts() -> None:
    """One of three."""
    read = rule('transport = ["mqtt", "mqtt-ws"]\ndelay = 1')

    assert not read.matches("a", "https", number=1)
    assert read.matches("a", "mqtt-ws", number=1)


def test_plans_are_joined() -> None:
    """The seed is the first one's."""
    joined = Plan.read("seed = 3\n[[rule]]\ndelay = 1").then(
        Plan.read('[[rule]]\nname = "x"\ndelay = 2')
    )

    assert [each.label for each in joined.rules] == ["rule 1", "x"]
    assert joined.seed == 3


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[rule", "this is not TOML"),
        ("seed = 1" + "0" * 5000, "this is not TOML"),
        ("sed = 1", "the fault file has an unknown member 'sed'"),
        ("seed = 1.5", "the fault file: seed is 1.5, not a whole number"),
        ("rule = 1", "'rule' is not a list of tables"),
        ("[rule]", "'rule' is not a list of tables"),
        ("[[rule]]", "rule 1 has no effect"),
        ("[[rule]]\nshare = 0.5", "rule 1 has no effect"),
        ("[[rule]]\ndelya = 1", "rule 1 has an unknown member 'delya'"),
        ('[[rule]]\nname = "x"\nshare = 3\ndelay = 1', "rule 1 ('x'): share is 3, not a number from 0 to 1"),
        ("[[rule]]\nname = 1\ndelay = 1", "rule 1: name is 1, not a string"),
        ("[[rule]]\ndelay = 1\n[[rule]]\nstatus = 7", "rule 2: status is 7, not a whole number from 300"),
        ('[[rule]]\noperation = "poll"\ndelay = 1', "rule 1: operation is 'poll', not one of 'handshake'"),
        ("[[rule]]\noperation = []\ndelay = 1", "operation is [], not one value or a list"),
        ('[[rule]]\ntransport = "amqp"\ndelay = 1', "rule 1: transport is 'amqp', not one of 'https'"),
        ("[[rule]]\nfirst = 0\ndelay = 1", "rule 1: first is 0"),
        ("[[rule]]\nconnack = 3", "rule 1: connack cannot happen at "),
        ('[[rule]]\noperation = "management"\nfailed = true', "failed cannot happen at 'management'"),
        ('[[rule]]\ntransport = "https"\nreorder = "responses"', "reorder is for MQTT"),
        ('[[rule]]\noperation = "connect"\ngarbage = "body"', "garbage cannot happen at 'connect'"),
        ("[[rule]]\nstatus = 500\nfailed = true", "failed and status contradict each other"),
        ('[[rule]]\nhow = "reset"', "how has no effect without drop"),
        ("[[rule]]\nerror_code = 1", "error_code has no effect without failed or status"),
        ("[[rule]]\nretry_after = 1\nretry_after_date = 1", "contradict each other"),
        ('[[rule]]\ndrop = "after"\nduplicate = 1', "cannot be changed"),
        (
            '[[rule]]\noperation = ["register", "handshake"]\nregistration_id = "a"\ndelay = 1',
            "rule 1: the registration id is not known yet at a handshake",
        ),
        ('[[rule]]\nname = "x"\ndelay = 1\n[[rule]]\nname = "x"\ndelay = 1', "two rules are called 'x'"),
    ],
)  # fmt: skip
def test_mistakes(toml: str, message: str) -> None:
    """Each names the rule and the member."""
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        Plan.read(toml)

    assert caught.value.setting == "faults"
    assert caught.value.hint


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(min_codepoint=32, max_codepoint=1000), max_size=5),
        st.dates(),
        st.sampled_from(["body", "message", "before", "register", "handshake", "mqtt", "*", "["]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=4,
)
NAMES = ("name", "registration_id", "operation", "transport", "share", "devices", "after", "first", "every", *RULE_FIELDS)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), max_size=2))
def test_whatever_is_in_a_file(tables: list[dict[str, object]]) -> None:
    """It is a plan that can decide, or an error that says what is wrong."""
    toml = "".join(f"[[rule]]\n{''.join(map(line, table.items()))}" for table in tables)
    try:
        plan = Plan.read(toml)
    except ConfigurationError:
        return

    faults = FaultInjector(plan)
    for point in Point:
        faults.draw(point, registration_id="a", transport="mqtt", operation_id="o")


def line(item: tuple[str, object]) -> str:
    """Write a member as TOML."""
    name, value = item
    return f"{name} = {written(value)}\n"


def written(value: object) -> str:
    """Write a value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return (
                f"{{ {', '.join(f'{json.dumps(k)} = {written(v)}' for k, v in value.items())} }}"
            )
        case str():
            return json.dumps(value)
        case _:
            return str(value)
