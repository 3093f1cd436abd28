"""Memory of this process: what is in use of it, and by which package."""

from __future__ import annotations

import ctypes
import gc
import sys
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from types import CoroutineType, GeneratorType
from typing import Final

import psutil
from benchmarks.packages import package_of

_SMALL: Final = 512
"""Bytes up to which Python allocates in arenas of its own, and above by malloc."""


class _Mallinfo2(ctypes.Structure):
    """What malloc of glibc 2.33 or later says of itself, in bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes that a process has."""

    resident: int
    malloc: int
    """In use of malloc, by everybody."""
    large: int
    """Of it by Python; 0 unless it is traced."""
    python: Counter[str] = field(default_factory=Counter)
    """In use by Python, by the package that allocated it; empty unless it is traced."""
    suspended: Counter[str] = field(default_factory=Counter)
    """Coroutines and generators, by the package of their code: part of `python`."""

    @classmethod
    def now(cls) -> Memory:
        """Look at this process."""
        gc.collect()
        libc = ctypes.CDLL(None)
        libc.mallinfo2.restype = _Mallinfo2
        info = libc.mallinfo2()
        large, python = _traced()
        return cls(
            resident=psutil.Process().memory_info().rss,
            malloc=info.uordblks + info.hblkhd,
            large=large,
            python=python,
            suspended=_suspended(),
        )


def _traced() -> tuple[int, Counter[str]]:
    if not tracemalloc.is_tracing():
        return 0, Counter()

    large, by_file = 0, Counter[str]()
    for each in tracemalloc.take_snapshot().traces:
        by_file[each.traceback[0].filename] += each.size
        large += each.size if each.size > _SMALL else 0

    return large, _by_package(by_file)


def _suspended() -> Counter[str]:
    """Return the bytes of what waits for something, with its frame, by package."""
    by_file = Counter[str]()
    for each in gc.get_objects():
        match each:
            case CoroutineType():
                by_file[each.cr_code.co_filename] += sys.getsizeof(each)
            case GeneratorType():
                by_file[each.gi_code.co_filename] += sys.getsizeof(each)

    return _by_package(by_file)


def _by_package(by_file: Counter[str]) -> Counter[str]:
    sums = Counter[str]()
    for file, size in by_file.items():
        sums[package_of(file)] += size

    return sums
