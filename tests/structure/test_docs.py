"""What the documentation says is what the code does."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import runpy
from pathlib import Path

import pytest
from tests.documentation.blocks import PAGES, ROOT, blocks, name
from tests.documentation.commands import check, commands

from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.faults.rule_fields import RULE_FIELDS
from aiodps.emulator.protocol.strict_rules import StrictRule
from aiodps.settings import Settings


def test_the_state_diagram_is_fresh() -> None:
    """The committed diagram is the one that the table gives."""
    script = runpy.run_path(str(ROOT / "docs" / "make_state_diagram.py"))

    assert (ROOT / "docs" / "states.md").read_text(encoding="utf-8") == script["page"]()


def test_the_pictures_of_diagrams_are_fresh() -> None:
    """The site shows the diagram of the page: `python docs/draw_diagrams.py` draws it anew."""
    script = runpy.run_path(str(ROOT / "docs" / "draw_diagrams.py"))
    pages = [page for page, _ in script["diagrams"]()]

    assert len(pages) == len({*pages}) > 1
    for page, source in script["diagrams"]():
        assert script["picture"](page).read_text("utf-8").startswith(script["mark"](source))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of ours leads to a file that exists."""
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_a_program(page: Path) -> None:
    """It is no SyntaxError in a file of its own; `asyncio.run(...)` in place of a bare `await`."""
    for code in blocks(page, "python", "py"):
        compile(code, page.name, "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists(page: Path) -> None:
    """With the options that the page gives it."""
    for code in blocks(page, "sh"):
        for words in commands(code):
            check(words)


def test_every_setting_is_documented() -> None:
    """The table of settings is what `Settings` says: names, defaults, docstrings."""
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    listed = [line for line in page.splitlines() if "`AIODPS_" in line and line.startswith("|")]

    assert listed == [
        f"| `{field.name}` | `AIODPS_{field.name.upper()}` | {default_of(field)} | {meaning} |"
        for field, meaning in zip(dataclasses.fields(Settings), meanings(), strict=True)
    ]


def default_of(field: dataclasses.Field[object]) -> str:
    """Show a default that is a value of its own; the docstring speaks of all others."""
    match field.default:
        case str(text):
            return f"`{text}`"
        case float(number):
            return f"{number:g}"
        case _:
            return ""


def meanings() -> list[str]:
    """Read the docstrings of the settings, each in one line."""
    tree = ast.parse(inspect.getsource(Settings))
    assert isinstance(tree.body[0], ast.ClassDef)
    return [
        " ".join(text.split())
        for setting, below in itertools.pairwise(tree.body[0].body)
        if isinstance(setting, ast.AnnAssign)
        for text in [ast.literal_eval(ast.unparse(below))]
    ]


def test_every_fault_is_documented() -> None:
    """The page about faults names every member of a rule, and its fault files can be read."""
    page = (ROOT / "docs" / "emulator" / "faults.md").read_text("utf-8")
    listed = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    names = {name.strip("`") for line in listed for name in line.split(", ")}

    assert set(RULE_FIELDS) <= names
    for toml in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        assert Plan.read(toml).rules


def test_every_strict_rule_is_documented() -> None:
    """The page about strictness has every rule of `--strict` and no other."""
    page = (ROOT / "docs" / "emulator" / "strictness.md").read_text("utf-8")
    listed = re.findall(r"^\| `([a-z][a-z-]+)` \|", page, re.MULTILINE)

    assert listed == [deviation.rule for deviation in StrictRule]
