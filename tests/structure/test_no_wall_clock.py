"""No test waits for time to pass or judges by how much did: that would fail on a busy machine."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.virtual_time import elapse

TESTS = Path(__file__).parents[1]
SLEEPS: Final = {"time.sleep", "anyio.sleep", "anyio.sleep_until", "asyncio.sleep", "trio.sleep"}
CLOCKS: Final = {
    f"time.{name}{unit}"
    for name in ("monotonic", "perf_counter", "process_time")
    for unit in ("", "_ns")
}
WORDS: Final = {name.rpartition(".")[2] for name in SLEEPS | CLOCKS}
"""A file that has none of these is not read any further."""
ALLOWED: Final = {
    "paths/": "real networks and proxies, in a session of their own",
    "scale/": "measurements, in a session of their own",
    "virtual_time.py": "`elapse` refuses to wait where the clock is real",
    "fleet/stopper.py": "a process of its own, which stops another one for some time",
    "interop/": "clients of other people's libraries, which wait as users do",
}
"""How the names of files below `tests` begin that may, and why."""


def names_of(tree: ast.AST) -> dict[str, str]:
    """Map what a module has imported under a name of its own to its full name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=imported):
                names |= {each.asname or each.name: each.name for each in imported}
            case ast.ImportFrom(module=str(module), names=imported):
                names |= {each.asname or each.name: f"{module}.{each.name}" for each in imported}

    return names


def uses_of_time(source: str) -> Iterator[str]:
    """Tell of each sleep and each look at a clock, with its line; `sleep(0)` gives way only."""
    if not any(word in source for word in WORDS):
        return

    tree = ast.parse(source)
    names = names_of(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name() | ast.Attribute(value=ast.Name()) as func):
                root, _, rest = ast.unparse(func).partition(".")
            case _:
                continue

        name = ".".join(filter(None, (names.get(root, root), rest)))
        nothing = [ast.unparse(each) for each in node.args] == ["0"]
        if name in CLOCKS or (name in SLEEPS and not nothing):
            yield f"line {node.lineno}: {name}"


def test_time_is_not_waited_for() -> None:
    """A test waits for events; where time must pass, it puts the clock forward itself."""
    files = {str(path.relative_to(TESTS)): path for path in sorted(TESTS.rglob("*.py"))}
    found = {
        name: uses
        for name, path in files.items()
        if not name.startswith(tuple(ALLOWED))
        and (uses := list(uses_of_time(path.read_text("utf-8"))))
    }

    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import time as t\nt.monotonic()",
        "from time import perf_counter as now\nnow()",
        "import anyio\nasync def wait(): await anyio.sleep(0.01)",
        "from asyncio import sleep\nasync def wait(): await sleep(delay=0)",
    ],
)
def test_each_way_is_found(source: str) -> None:
    """Under whatever name."""
    assert len(list(uses_of_time(source))) == 1


def test_giving_way_is_no_wait() -> None:
    """Nor is waiting for ever, which nobody does for the time."""
    source = "import anyio\nasync def wait(): await anyio.sleep(0); await anyio.sleep_forever()"

    assert not list(uses_of_time(source))


@pytest.mark.anyio
async def test_virtual_time_is_virtual() -> None:
    """What passes it does not wait on a real clock."""
    with pytest.raises(AssertionError):
        await elapse(1)


def test_no_excuse_is_stale() -> None:
    """Each is of a file that needs it."""
    for name in ALLOWED:
        files = [
            path for path in TESTS.rglob("*.py") if str(path.relative_to(TESTS)).startswith(name)
        ]
        assert any(any(uses_of_time(path.read_text("utf-8"))) for path in files), name
