"""Group J, the form: each way for JSON to be wrong has a name of its own."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import MalformedResponseError
from aiodps.protocol.limits import MAX_JSON_DEPTH
from aiodps.protocol.strict_json import read_object


def nested(depth: int) -> bytes:
    """Make an object of a given depth."""
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"a":"\xff"}', "utf8", id="J01"),
        pytest.param('{"a":1}'.encode("utf-16"), "utf8", id="J02-utf16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "utf8", id="J02-utf16le"),
        pytest.param('{"a":1}'.encode("utf-32"), "utf8", id="J02-utf32"),
        pytest.param(b"\xef\xbb\xbf{}", "utf8", id="J02-bom"),
        pytest.param(b"hello", "json", id="J03"),
        pytest.param(b"{} {}", "json", id="J03-trailing"),
        pytest.param(b"", "empty", id="J03-empty"),
        pytest.param(b" \r\n", "empty", id="J03-blank"),
        *(
            pytest.param(body, "not_object", id=f"J04-{body.decode()}")
            for body in (b"[]", b'"a"', b"1", b"null", b"true")
        ),
        pytest.param(b"[" * 100_000, "depth", id="J05"),
        pytest.param(nested(MAX_JSON_DEPTH + 1), "depth", id="J05-just-over"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "number", id="J07"),
        pytest.param(b'{"a":NaN}', "number", id="J08-nan"),
        pytest.param(b'{"a":-Infinity}', "number", id="J08-infinity"),
        pytest.param(b'{"a":1e400}', "number", id="J08-1e400"),
        pytest.param(b'{"status":1,"status":2}', "duplicate_key", id="J09"),
        pytest.param(b'{"a":"\\ud800"}', "surrogate", id="J10"),
    ],
)
def test_refused(body: bytes, reason: str) -> None:
    """What is not plain JSON is refused with its reason, and nothing of it is quoted."""
    with pytest.raises(MalformedResponseError) as caught:
        read_object(body)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "body",
    [b"{}", b' {"a": [1, 2.5, "\\u00e9", null, {"b": true}]}\n', nested(MAX_JSON_DEPTH)],
)
def test_taken(body: bytes) -> None:
    """Plain JSON objects are read as the standard reader reads them."""
    assert read_object(body) == json.loads(body)


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Whatever comes in is an object or one kind of error."""
    with contextlib.suppress(MalformedResponseError):
        assert isinstance(read_object(body), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_round_trip(document: dict[str, object]) -> None:
    """What JSON can say is read back as it was."""
    assert read_object(json.dumps(document).encode()) == document


def test_many_members_are_not_many_levels() -> None:
    """What counts is how deep they are nested."""
    wide = {"a": [[]] * (MAX_JSON_DEPTH + 1), "b": [{}] * MAX_JSON_DEPTH}

    assert read_object(json.dumps(wide).encode()) == wide
