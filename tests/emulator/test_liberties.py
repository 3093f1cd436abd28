"""The rules of `--strict` and their table."""

from __future__ import annotations

import pytest

from aiodps.emulator import liberties
from aiodps.emulator.liberties import Liberty


def test_every_rule_is_in_the_table() -> None:
    """In the order of the rules, each with what is refused and who does that."""
    rows = [line for line in (liberties.__doc__ or "").splitlines() if line.startswith("| ")]
    table = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows[2:]]

    assert [rule for rule, _, _ in table] == [each.rule for each in Liberty]
    assert all(refused and who for _, refused, who in table)


@pytest.mark.parametrize("liberty", Liberty)
def test_every_rule_says_what_to_do(liberty: Liberty) -> None:
    """In the imperative, without a full stop."""
    assert liberty.advice[0].islower()
    assert liberty.advice[-1] != "."
