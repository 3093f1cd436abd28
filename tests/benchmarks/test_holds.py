"""What a waiting device holds, as a table."""

from __future__ import annotations

from typing import Any

import pytest

holds = pytest.importorskip("benchmarks.holds", reason="not in a source distribution")
allocated = pytest.importorskip("benchmarks.allocated", reason="not in a source distribution")


def run(kind: str, python: dict[str, float], *, suspended: float = 0.0) -> dict[str, Any]:
    """Make what one kind of device holds, in bytes."""
    total = {"c": 30_000.0, "resident": 60_000.0}
    return {"kind": kind, "suspended": suspended, "python": python, **total}


def test_a_table() -> None:
    """A row for each package, the largest first, and one for what is too small for a row."""
    bare = run("bare", {"ssl": 500.0})
    rest = run("rest", {"h11": 2_000.0, "ssl": 520.0, "httpx": 40.0}, suspended=5_000.0)

    lines = holds.table([bare, rest]).splitlines()

    assert lines[0] == "| kB | bare | rest |"
    assert lines[2:] == [
        "| OpenSSL and other libraries in C | 30.0 | 30.0 |",
        "| coroutines that wait | 0.0 | 5.0 |",
        "| h11 | 0.0 | 2.0 |",
        "| ssl | 0.5 | 0.5 |",
        "| all others | 0.0 | 0.0 |",
        "| **in use** | 30.5 | 37.6 |",
        "| **resident** | 60.0 | 60.0 |",
    ]


def test_coroutines_are_counted_by_their_code() -> None:
    """Wherever they were created."""

    async def waits() -> None:
        """Do nothing."""

    before = allocated.Memory.now()
    waiting = [waits() for _ in range(10)]
    after = allocated.Memory.now()
    for each in waiting:
        each.close()

    package = allocated.package_of(__file__)
    assert (after.suspended - before.suspended)[package] > 10 * 100
