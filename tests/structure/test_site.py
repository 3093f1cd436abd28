"""The site has every page and every public name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import aiodps.emulator
import aiodps.fleet
import aiodps.pki

DOCS = Path(__file__).parents[2] / "docs"
INDEX = DOCS / "index.md"
REFERENCE = "".join(page.read_text("utf-8") for page in DOCS.joinpath("api").glob("*.md"))
DOCUMENTED = re.findall(r"^\.\. auto\w+:: ([\w.]+)$", REFERENCE, re.MULTILINE)
PUBLIC = [
    f"{module.__name__}.{name}"
    for module in (aiodps, aiodps.emulator, aiodps.fleet, aiodps.pki)
    for name in module.__all__
]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """Once, with its docstring: `.. autoclass:: aiodps.Name` on a page of `docs/api`."""
    assert DOCUMENTED.count(name) == 1, f"document {name} on a page of docs/api"


def test_the_index_names_pages_that_exist() -> None:
    """Each of them once."""
    lists = re.findall(r"```\{toctree\}\n(?::.*\n)*\n((?:.+\n)+)```", INDEX.read_text("utf-8"))
    pages = re.findall(r"([^\s<>]+)>?$", "".join(lists), re.MULTILINE)

    assert len(pages) > 20
    assert len(pages) == len(set(pages))
    assert all(DOCS.joinpath(f"{page}.md").is_file() for page in pages)
