"""The code blocks of the pages."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")])
_BLOCK: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    """Name a page as one speaks of it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *kinds: str) -> list[str]:
    """Return the code of the blocks of some kinds, in order."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [textwrap.dedent(code) for _, kind, code in found if kind in kinds]
