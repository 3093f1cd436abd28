"""The sessions of nox that pages, messages and CI name are those of the noxfile."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = (".github", "benchmarks", "docs", "tests")
SUFFIXES: Final = frozenset({".cnf", ".md", ".py", ".toml", ".yml"})


def sessions() -> dict[str, str]:
    """Return the decorator of each session, by its name."""
    return {
        each.name: decorator
        for each in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body
        if isinstance(each, ast.FunctionDef)
        for decorator in map(ast.unparse, each.decorator_list)
        if decorator.startswith("nox.session")
    }


def texts() -> list[Path]:
    """List the files that tell people or CI what to run."""
    found = [*ROOT.glob("*.*"), *(path for each in FOLDERS for path in (ROOT / each).rglob("*.*"))]
    return [ROOT / ".ci" / "run", *(path for path in found if path.suffix in SUFFIXES)]


def named(text: str) -> set[str]:
    """List the sessions that a text runs: after `nox -s`, or in a matrix of CI."""
    runs = re.findall(r"\bnox\b[^\n`]* -s((?: [a-z]\w*)+)", text)
    matrices = re.findall(r"^ +session: \[(.+)\]$", text, re.MULTILINE)
    return set(re.findall(r"\w+", " ".join([*runs, *matrices])))


def test_a_session_that_is_named_exists() -> None:
    """Whoever types what a page, a message or a comment says gets a session."""
    known = sessions().keys()
    found = {path.relative_to(ROOT): named(path.read_text("utf-8")) for path in texts()}

    assert {path: names - known for path, names in found.items() if names - known} == {}
    assert {"plan", "processes"} <= found[Path(".ci/run")]
    assert {"container", "costs"} <= found[Path(".github/workflows/ci.yml")]


def test_contributing_lists_the_sessions() -> None:
    """Those that plain `nox` does not run, which nobody would find otherwise."""
    listed = re.findall(r"`(?:nox -s )?(\w+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    optional = {name for name, decorator in sessions().items() if "default=False" in decorator}

    assert optional - set(listed) == set()
