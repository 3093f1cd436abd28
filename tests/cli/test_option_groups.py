"""Options under headings, and lengths of time."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from aiodps.cli.option_groups import DURATION, GroupedOption, format_options, in_group


class Grouped(click.Command):
    """A command with headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them."""
        format_options(self, ctx, formatter)


def test_options_are_listed_under_their_headings() -> None:
    """In the order of declaration; an option without a heading, and --help, come last."""
    one, other = GroupedOption(["--one"]), GroupedOption(["--other"])
    command = Grouped(
        "c",
        params=[
            click.Option(["--plain"]),
            click.Argument(["where"]),
            *in_group("First", one),
            *in_group("Second", other),
            GroupedOption(["--late"], group="First"),
        ],
    )
    help_ = CliRunner().invoke(command, ["--help"]).output
    listed = [line.split()[0] for line in help_.splitlines()[2:] if line]

    assert listed == [
        *("First:", "--one", "--late", "Second:", "--other", "Other", "--plain", "--help"),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1.5 h", 5400), ("250ms", 0.25), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    """A number with a unit; without one, seconds."""
    assert DURATION.convert(text, None, None) == seconds
    assert DURATION.convert(seconds, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1e3", "5 min", "inf", "nan", "٥m", "1m30s"])
def test_what_is_not_a_duration(text: str) -> None:
    """It is refused with an example of one."""
    with pytest.raises(click.BadParameter, match="30s or 5m"):
        DURATION.convert(text, None, None)
