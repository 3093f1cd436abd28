"""Members of a JSON object, with errors that say where."""

from __future__ import annotations

import enum
from collections.abc import Callable

import pytest

from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.errors import ConfigurationError


class Colour(enum.StrEnum):
    """Words to choose from."""

    RED = "red"
    BLUE = "blue"


DOCUMENT = {
    "text": "a",
    "null": None,
    "empty": " ",
    "number": 1,
    "zero": 0,
    "texts": ["a", "b"],
    "mixed": ["a", 1],
    "object": {"inner": {"deep": 1}},
    "true": True,
    "time": "1970-01-01T00:00:01.5000000Z",
    "local": "1970-01-01T00:00:01",
    "red": "red",
    "shouted": "BLUE",
    "green": "green",
}
RULE_FIELDS = JsonObject(DOCUMENT, "entry 3")


def test_what_is_there() -> None:
    """Members are returned as what they are."""
    inner = RULE_FIELDS.required_object("object").required_object("inner")

    assert RULE_FIELDS.string("text") == RULE_FIELDS.required_string("text") == "a"
    assert RULE_FIELDS.strings("texts") == ("a", "b")
    assert RULE_FIELDS.word("red", Colour) is Colour.RED
    assert RULE_FIELDS.word("shouted", Colour) is Colour.BLUE
    assert RULE_FIELDS.flag("true") is True
    assert RULE_FIELDS.time("time") == 1.5
    assert RULE_FIELDS.time("local") == 1.0
    assert inner.document == {"deep": 1}


@pytest.mark.parametrize("name", ["null", "absent"])
def test_what_is_not_there(name: str) -> None:
    """Null is as good as absent."""
    assert RULE_FIELDS.string(name) is None
    assert RULE_FIELDS.strings(name) == ()
    assert RULE_FIELDS.object(name) is None
    assert RULE_FIELDS.flag(name) is None
    assert RULE_FIELDS.time(name) is None
    assert RULE_FIELDS.word(name, Colour) is None


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: RULE_FIELDS.string("number"), "entry 3: number is not a string"),
        (lambda: RULE_FIELDS.string("zero"), "entry 3: zero is not a string"),
        (lambda: RULE_FIELDS.flag("zero"), "entry 3: zero is neither true nor false"),
        (lambda: RULE_FIELDS.time("red"), "entry 3: red is not a time"),
        (lambda: RULE_FIELDS.string("empty"), "entry 3: empty is empty"),
        (lambda: RULE_FIELDS.required_string("null"), "entry 3: null is missing"),
        (lambda: RULE_FIELDS.strings("mixed"), "entry 3: mixed is not a list of strings"),
        (lambda: RULE_FIELDS.strings("text"), "entry 3: text is not a list of strings"),
        (lambda: RULE_FIELDS.object("texts"), "entry 3: texts is not an object"),
        (lambda: RULE_FIELDS.required_object("absent"), "entry 3: absent is missing"),
        (
            lambda: RULE_FIELDS.word("green", Colour),
            "entry 3: green is 'green', not one of: red, blue",
        ),
        (
            lambda: RULE_FIELDS.required_object("object").required_object("inner").string("deep"),
            "entry 3: object.inner.deep is not a string",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong(read: Callable[[], object], message: str) -> None:
    """The message names the entry, the way to the member, and the fault."""
    with pytest.raises(ConfigurationError) as wrong:
        read()

    assert wrong.value.message == message
    assert wrong.value.setting == "enrollments"


def test_the_object_itself_can_be_at_fault() -> None:
    """An empty name means the object, at the top and below."""
    top = RULE_FIELDS.error("", "is odd")
    below = RULE_FIELDS.required_object("object").error("", "is odd")

    assert (top.message, below.message) == ("entry 3 is odd", "entry 3: object is odd")


def test_values_stay_out_of_the_repr() -> None:
    """They may be keys."""
    assert "red" not in repr(RULE_FIELDS)
