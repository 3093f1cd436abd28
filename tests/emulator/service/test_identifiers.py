"""The ids that the service makes up."""

from __future__ import annotations

import base64
import random
import re

import pytest
from tests.emulator.instance import GUID

from aiodps.emulator.service.identifiers import (
    enrollment_etag,
    etag,
    guid,
    is_registration_id,
    operation_id,
    symmetric_key,
    verification_code,
)


def chance() -> random.Random:
    """Return always the same chance."""
    return random.Random(11)  # noqa: S311 (no secrets here)


@pytest.mark.parametrize("name", ["a", "A-1", "-", "a.b_c:d-", "x" * 128])
def test_registration_ids(name: str) -> None:
    """Letters, digits and four signs, up to 128."""
    assert is_registration_id(name)


@pytest.mark.parametrize("name", ["", "a.", "a_", "a b", "a/b", "a\n", "é", "x" * 129])
def test_what_is_no_registration_id(name: str) -> None:
    """Anything else, and what ends in a sign other than a dash."""
    assert not is_registration_id(name)


def test_operation_ids_need_no_escape() -> None:
    """55 characters that may stand in a path and in a topic."""
    made = operation_id("device-1", chance=chance())

    assert re.fullmatch(rf"5\.[0-9a-f]{{16}}\.{GUID}", made)
    assert len(made) == 55


def test_etags_are_quoted_inside() -> None:
    """As the one in Microsoft's article, which ends in its time: 630a5a0f is 2022-08-27."""
    seen = base64.b64decode("IjEyMDA4NmYyLTAwMDAtMDMwMC0wMDAwLTYzMGE1YTBmMDAwMCI=")
    made = base64.b64decode(etag(chance=chance(), now=0x630A5A0F + 0.5))

    assert len(made) == len(seen)
    assert made[-13:] == seen[-13:]
    assert re.fullmatch(rf'"{GUID}"', made.decode())


def test_etags_of_enrollments() -> None:
    """The same, without base64."""
    inside = base64.b64decode(etag(chance=chance(), now=5.0)).decode()

    assert enrollment_etag(chance=chance(), now=5.0) == inside


def test_keys() -> None:
    """64 bytes, as the service makes them."""
    assert len(base64.b64decode(symmetric_key(chance=chance()))) == 64


def test_verification_codes() -> None:
    """48 upper-case hex digits fit into a CN."""
    assert re.fullmatch(r"[0-9A-F]{48}", verification_code(chance=chance()))


def test_chance_decides() -> None:
    """The same chance, the same ids; the next draw, another one."""
    one = chance()

    assert guid(chance()) == guid(one)
    assert guid(chance()) != guid(one)
