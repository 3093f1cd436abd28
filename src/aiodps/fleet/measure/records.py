"""Fields of frozen dataclasses, all taken at once.

`asdict` copies each value, and `dataclasses.replace` looks at each field. With every write of the
journal, both would cost more than the rest of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")


def fields_of(record: DataclassInstance) -> dict[str, Any]:
    """Return the fields by name; values are not copied. There must be several."""
    names, values = _reader(type(record))
    return dict(zip(names, values(record), strict=True))


def changed(record: _T, **changes: Any) -> _T:
    """Return a record with other values of some fields."""
    return type(record)(**(fields_of(record) | changes))


@functools.cache
def _reader(
    kind: type[DataclassInstance],
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(each.name for each in fields(kind))
    return names, attrgetter(*names)
