"""Checks of the types of public arguments, for callers without a type checker."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import get_args

from aiodps.errors import ConfigurationError


def check_type(value: object, kind: type | UnionType, setting: str) -> None:
    """Check the type of an argument; the message names it, and never shows the value.

    Raises:
        ConfigurationError: If it is of another type.
    """
    if isinstance(value, kind):
        return

    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    wanted = " | ".join("None" if each is NoneType else each.__name__ for each in kinds)
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
