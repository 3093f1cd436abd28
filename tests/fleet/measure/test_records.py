"""Records are read and changed as the standard library does it."""

from __future__ import annotations

import dataclasses

from tests.fleet.samples import sample

from aiodps.fleet.measure.records import changed, fields_of


def test_fields() -> None:
    """All of them by name, in their order, and not copied."""
    one = sample()
    found = fields_of(one)

    assert list(found.items()) == list(dataclasses.asdict(one).items())
    assert found["phases"] is one.phases


def test_a_change() -> None:
    """The original stays as it is."""
    one = sample()

    assert changed(one, polls=7) == dataclasses.replace(one, polls=7)
    assert one == sample()
