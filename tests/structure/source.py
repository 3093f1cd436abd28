"""The package's source, as the tests about its form read it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import aiodps

PACKAGE: Final = Path(aiodps.__file__).parent
FILES: Final = sorted(PACKAGE.rglob("*.py"))

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def short(path: Path) -> str:
    """Name a file as one speaks of it."""
    return path.relative_to(PACKAGE).as_posix()


def dotted(path: Path) -> str:
    """Name a file as an import does."""
    name = path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


@cache
def tree(path: Path) -> ast.Module:
    """Read a file; nobody may change what comes back."""
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """List all that is in a file: walking a tree takes longer than what is looked for."""
    return tuple(ast.walk(tree(path)))


def functions(path: Path) -> list[Function]:
    """List the functions of a file, methods and inner ones too."""
    return [node for node in nodes(path) if isinstance(node, Function)]
