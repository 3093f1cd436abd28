"""What a device sent is masked where the service quotes it."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import UntrustedHubError
from aiodps.printable import printable
from aiodps.protocol.payload_mask import PayloadMask

SECRETS = ["hunter2!", 'qu"o\\te', "pä$$ wörd", "two\nlines\there", "a<b>&c;d", "\u202eesrever"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "quoted",
    [
        pytest.param(str, id="raw"),
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda value: json.dumps(json.dumps({"wifi": value})), id="json-in-json"),
        pytest.param(lambda value: json.dumps(value, ensure_ascii=False), id="utf8"),
        pytest.param(ascii, id="ascii"),
        pytest.param(html.escape, id="html"),
        pytest.param(quote, id="url"),
        pytest.param(lambda value: quote(value, safe=""), id="part-of-url"),
        pytest.param(printable, id="printed"),
        pytest.param(lambda value: printable(" ".join(value.split())), id="one-line"),
    ],
)
def test_a_quoted_value_is_masked(secret: str, quoted: Any) -> None:
    """However it is written, at whatever depth it was sent."""
    mask = PayloadMask({"a": [{"wifi": secret}]})

    assert mask(f"the value {quoted(secret)}; is bad").replace('\\"', "").replace('"', "") in {
        "the value ***; is bad",
        "the value '***'; is bad",
        "the value {wifi: ***}; is bad",
    }


def test_a_value_that_was_cut_is_masked() -> None:
    """Long messages are cut, perhaps in the middle of it."""
    assert PayloadMask({"a": "correct horse"})("bad: correct ho") == "bad: ***"


def test_numbers_and_short_values() -> None:
    """What occurs by accident everywhere is left alone."""
    mask = PayloadMask({"pin": 123456, "slot": 7, "ok": True, "zone": "eu", "share": 0.123456})

    assert mask("123456 in slot 7 of eu is true, 0.123456") == "*** in slot 7 of eu is true, ***"


def test_what_is_public_is_shown() -> None:
    """The registration id may be in the payload, and is no secret."""
    assert PayloadMask({"id": "DEV-001"}, public=["dev-001"])("DEV-001") == "DEV-001"


def test_nothing_sent_nothing_masked() -> None:
    """Most devices send no payload."""
    assert PayloadMask(None)("anything") == "anything"


def test_every_text_of_an_error() -> None:
    """Its message, its arguments and what is particular to it; the hint is ours."""
    error = UntrustedHubError("hub 'hunter2!' is bad", reason="hunter2!").locate(
        registration_id="hunter2!"
    )
    PayloadMask({"a": "hunter2!"}).apply_to(error)

    assert (error.message, error.args, error.reason) == (
        "hub '***' is bad",
        (error.message,),
        "***",
    )
    assert error.registration_id == "hunter2!"


@given(st.text(min_size=4).filter(lambda text: "*" not in text and text.strip()), st.text())
def test_no_value_is_left(secret: str, around: str) -> None:
    """Whatever stands around it."""
    assert secret not in PayloadMask({"a": secret})(f"{around}{secret}{around}")
