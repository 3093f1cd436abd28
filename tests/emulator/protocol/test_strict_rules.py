"""The rules of `--strict` and their table."""

from __future__ import annotations

import pytest

from aiodps.emulator.protocol import strict_rules
from aiodps.emulator.protocol.strict_rules import StrictRule


def test_every_rule_is_in_the_table() -> None:
    """In the order of the rules, each with what is refused and who does that."""
    rows = [line for line in (strict_rules.__doc__ or "").splitlines() if line.startswith("| ")]
    table = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows[2:]]

    assert [rule for rule, _, _ in table] == [each.rule for each in StrictRule]
    assert all(refused and who for _, refused, who in table)


@pytest.mark.parametrize("deviation", StrictRule)
def test_every_rule_says_what_to_do(deviation: StrictRule) -> None:
    """In the imperative, without a full stop."""
    assert deviation.advice[0].islower()
    assert deviation.advice[-1] != "."
