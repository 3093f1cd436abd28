"""Names are the field's: what was a word of this house only is not one of its names any more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from tests.structure.source import FILES, Function, nodes, short

from aiodps.cli.app import app

RETIRED: Final = frozenset(
    [
        "beside",
        "carrier",
        "chance",
        "clerk",
        "crew",
        "desk",
        "elsewhere",
        "front",
        "fronts",
        "gate",
        "gauge",
        "judge",
        "liberties",
        "liberty",
        "manner",
        "meter",
        "pace",
        "patience",
        "rehearsal",
        "room",
        "settle",
        "standing",
        "strain",
    ]
)
OTHERS_WORDS: Final = frozenset({"meter_provider"})
"""Names of OpenTelemetry's, which its users look for."""
GLOSSARY: Final = Path(__file__).parents[2] / "docs" / "glossary.md"


def retired(name: str) -> frozenset[str]:
    """Return the retired words that are parts of a name, however it is written."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return RETIRED & {word.lower() for word in words}


def public_names(path: Path) -> Iterator[str]:
    """List what a file names for others: itself, classes, functions, and their parameters."""
    yield short(path).removesuffix(".py")
    for node in nodes(path):
        match node:
            case ast.ClassDef(name=name):
                yield from (name, *fields(node))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not node.name.startswith("_"):
                yield from (node.name, *parameters(node))


def fields(class_: ast.ClassDef) -> list[str]:
    """List what a class declares, which a dataclass takes as parameters."""
    declared = [each.target for each in class_.body if isinstance(each, ast.AnnAssign)]
    return [each.id for each in declared if isinstance(each, ast.Name) and each.id[0] != "_"]


def parameters(function: Function) -> list[str]:
    """List the parameters of a function."""
    return [each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)]


def test_no_retired_word_is_a_name() -> None:
    """Nor a part of one."""
    named = [
        f"{short(path)}: {name}"
        for path in FILES
        for name in public_names(path)
        if retired(name) and name not in OTHERS_WORDS
    ]

    assert named == []


def commands(command: click.Command, *above: str) -> Iterator[tuple[str, click.Command]]:
    """List a command, and those below it."""
    path = (*above, str(command.name))
    yield " ".join(path), command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from commands(below, *path)


def test_no_retired_word_is_an_option() -> None:
    """Nor a command, nor an argument."""
    named = {
        f"{path} {name}"
        for path, command in commands(app)
        for parameter in command.params
        for name in (path, str(parameter.name), *parameter.opts, *parameter.secondary_opts)
        if retired(name)
    }

    assert named == set()


def test_the_glossary_has_no_retired_word() -> None:
    """It is where a stranger looks a name up."""
    named = re.findall(r"`([^`]+)`", GLOSSARY.read_text("utf-8"))

    assert [name for name in named if retired(name)] == []


@pytest.mark.parametrize("name", ["PeerGate", "old_gate", "HTTPGate", "--no-gate", "a/gate/b"])
def test_a_retired_word_is_found(name: str) -> None:
    """However a name is written."""
    assert retired(name) == {"gate"}


@pytest.mark.parametrize("name", ["aggregate", "namespace", "frontend", "Spacer", "gates"])
def test_a_longer_word_is_another(name: str) -> None:
    """Words count, and not their letters."""
    assert not retired(name)
