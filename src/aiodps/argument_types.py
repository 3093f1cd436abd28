"""Checks of the types of public arguments, for callers without a type checker."""

from __future__ import annotations

from types import UnionType

from aiodps.errors import ConfigurationError


def check_type(value: object, kind: type | UnionType, setting: str) -> None:
    """Check the type of an argument; the message names it, and never shows the value.

    Raises:
        ConfigurationError: If it is of another type.
    """
    if isinstance(value, kind):
        return

    wanted = str(kind) if isinstance(kind, UnionType) else kind.__name__
    raise ConfigurationError(
        f"{setting} cannot be of type {type(value).__name__!r}",
        setting=setting,
        hint=f"give a value of type {wanted}",
    )


def check_callable(value: object, setting: str) -> None:
    """Check that an argument is a function, or None.

    Raises:
        ConfigurationError: If it is anything else.
    """
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"{setting} cannot be of type {type(value).__name__!r}",
            setting=setting,
            hint="give a function",
        )
