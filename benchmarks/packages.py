"""Calls by package: of counts by source file, and of several counts the median."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final

_GENERATED: Final = "methods of dataclasses"
_STANDARD: Final = "other modules of Python"
_SEPARATE: Final = {"asyncio", "ssl", "selectors", "json"}
"""Modules of Python that are listed by themselves."""


def package_of(file: str) -> str:
    """Return the package: one of aiodps, a library's name, or a module of Python."""
    if file == "<string>":
        return _GENERATED

    parts = PurePath(file).with_suffix("").parts
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
        return parts[0] if parts[0] != "aiodps" else ".".join(parts[:2])

    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "aiodps":
            return ".".join(parts[index : index + 2])

        if parts[index] == "benchmarks":
            return parts[index]

    return next((part for part in parts[-2:] if part in _SEPARATE), _STANDARD)


def by_package(files: Mapping[str, int]) -> dict[str, int]:
    """Add up the counts of the files of each package."""
    packages: Counter[str] = Counter()
    for file, count in files.items():
        packages[package_of(file)] += count

    return dict(packages)


def medians(counted: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return the median of each package, most first."""
    packages = {name for each in counted for name in each}
    middle = {name: statistics.median(each.get(name, 0) for each in counted) for name in packages}
    return dict(sorted(middle.items(), key=lambda item: (-item[1], item[0])))
