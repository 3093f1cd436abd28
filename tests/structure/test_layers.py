"""Imports point down: the architecture as a test."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import aiodps

PACKAGE = Path(aiodps.__file__).parent
BOTTOM = {"errors", "models", "observe", "credential_files", "version"}
MAY_IMPORT = {
    "models": set[str](),
    "version": set[str](),
    "errors": {"models"},
    "observe": {"models"},
    "credential_files": {"errors"},
    "protocol": BOTTOM | {"protocol"},
    "attestation": BOTTOM | {"protocol", "attestation"},
    "registration": BOTTOM | {"protocol", "registration"},
    "network": BOTTOM | {"protocol", "attestation", "network"},
    "transports": BOTTOM | {"protocol", "attestation", "network", "transports"},
    "settings": BOTTOM | {"protocol", "attestation", "network", "transports"},
    "client": BOTTOM
    | {"protocol", "attestation", "network", "registration", "transports", "settings"},
    "pki": {"errors", "models", "credential_files", "pki"},
    "emulator": {"errors", "models", "credential_files", "pki", "emulator"},
    "fleet": BOTTOM
    | {"protocol", "attestation", "network", "registration", "transports", "settings", "client"}
    | {"pki", "fleet", "__init__"},
    "__init__": BOTTOM
    | {"attestation", "network", "registration", "transports", "settings", "client"},
    "testing": {"errors", "pki", "emulator"},
    "__main__": {"cli"},
}
"""Which part may import which; `cli` stands on top and may import all. The registration's driver
alone may also see `transports.base`."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """Name the part of the package that a dotted name belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path) -> Iterator[str]:
    """Name everything of ours that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.startswith("aiodps"))
            case ast.ImportFrom(module=str(module), level=0) if module.startswith("aiodps"):
                yield module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A module imports only what lies below its part."""
    relative = path.relative_to(PACKAGE)
    part = relative.parts[0].removesuffix(".py")
    if part == "cli":
        return

    allowed = MAY_IMPORT[part]
    for module in imports(path):
        if relative.name == "driver.py" and module == "aiodps.transports.base":
            continue

        assert part_of(module) in allowed, f"{relative} imports {module}"


def test_no_import_goes_in_a_circle() -> None:
    """Neither between files nor between parts."""
    files: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = {}
    for path in MODULES:
        dotted = path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
        name = dotted.removesuffix(".__init__")
        files[name] = {*imports(path)} - {name}
        below = {part_of(module) for module in imports(path)} - {part_of(name)}
        parts.setdefault(part_of(name), set()).update(below)

    for graph in (files, parts):
        graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "emulator").rglob("*.py")), ids=lambda path: path.name
)
def test_the_emulator_refuses_in_its_own_words(path: Path) -> None:
    """Errors of the client's are not its own: only those for whoever configures it."""
    taken = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "aiodps.errors"
        for alias in node.names
    }

    assert taken <= {"ConfigurationError", "CertificateError"}


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "registration").glob("*.py")), ids=lambda path: path.name
)
def test_the_machine_is_sans_io(path: Path) -> None:
    """Nothing but the driver knows of event loops, clocks, logs or chance."""
    if path.name == "driver.py":
        return

    allowed = {"__future__", "collections", "dataclasses", "enum", "hashlib", "math", "typing"}
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module)):
                names = [module]
            case ast.AsyncFunctionDef():
                raise AssertionError(f"{path.name} has async code")

        for name in names:
            assert name.split(".")[0] in allowed | {"aiodps"}, f"{path.name} imports {name}"


def test_only_our_words_for_the_wire() -> None:
    """Wire names such as registrationId stay in the protocol, the emulator and its tools."""
    for path in MODULES:
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] in {"protocol", "emulator", "testing.py", "cli"}:
            continue

        code = [
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for wire in ("registrationId", "assignedHub", "iotdps-register"):
            assert wire not in code, f"{relative} has the wire name {wire}"
