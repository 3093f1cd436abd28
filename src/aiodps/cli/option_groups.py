"""Options that the help lists under headings, and option types for lengths of time."""

from __future__ import annotations

import re
from typing import Any, Final

import click

OTHER: Final = "Other options"
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", re.ASCII)


class GroupedOption(click.Option):
    """An option that the help lists under a heading."""

    def __init__(self, *args: Any, group: str = OTHER, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.group = group


def in_group(heading: str, *options: GroupedOption) -> list[click.Parameter]:
    """Return options, to be listed under a heading."""
    for option in options:
        option.group = heading

    return [*options]


def format_options(command: click.Command, ctx: click.Context, help_: click.HelpFormatter) -> None:
    """Write the options of a command under their headings, in the order of declaration."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            groups.setdefault(getattr(parameter, "group", OTHER), []).append(record)

    for heading, records in sorted(groups.items(), key=lambda group: group[0] == OTHER):
        with help_.section(heading):
            help_.write_dl(records)


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A length of time, such as 90, 90s, 5m, 1.5h or 250ms; its value is in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, int | float):
            return float(value)

        seconds = parse_duration(str(value))
        if seconds is None:
            self.fail(
                f"{ascii(value)[:40]} is not a duration: give for example 30s or 5m", param, ctx
            )

        return seconds


DURATION: Any = _Duration()
"""The type of options that take a length of time."""


def parse_duration(text: str) -> float | None:
    """Return the seconds of a length of time such as "5m"; None if it is not one."""
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else float(found[1]) * _UNITS[found[2]]
