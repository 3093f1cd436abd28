"""SECURITY.md promises what tests hold it to, and is where it is needed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
SECTIONS = {
    title: re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)
    for title, text in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE)
}
PROMISES = SECTIONS["What aiodps guarantees"] + SECTIONS["The emulator"]


def test_the_sections_are_there() -> None:
    """Promises, and what is not promised."""
    assert len(PROMISES) > 8
    assert len(SECTIONS["What aiodps does not protect from"]) > 4


@pytest.mark.parametrize("promise", PROMISES, ids=lambda text: text[2:30])
def test_each_promise_names_its_tests(promise: str) -> None:
    """And they exist."""
    named = re.findall(r"\]\((tests/[^)]+)\)", promise)

    assert named
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_it_is_in_the_source_distribution(name: str) -> None:
    """Whoever has the sources has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert name in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
