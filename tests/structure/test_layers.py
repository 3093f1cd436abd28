"""Imports point down: the architecture as a test."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.structure.source import FILES, PACKAGE, dotted, nodes, short

BOTTOM = {"error_base", "errors", "models", "observe", "input_files", "key_text", "version"}
BOTTOM |= {"argument_types", "fresh_files", "libraries", "printable"}
MAY_IMPORT = {
    "models": {"fresh_files", "libraries"},
    "libraries": {"libraries"},
    "version": set[str](),
    "key_text": set[str](),
    "argument_types": {"errors"},
    "printable": set[str](),
    "fresh_files": set[str](),
    "process": set[str](),
    "error_base": {"models", "key_text", "printable"},
    "errors": {"error_base", "models"},
    "observe": {"error_base", "models"},
    "watching": {"errors", "observe", "version"},
    "input_files": {"errors", "key_text", "input_files"},
    "protocol": BOTTOM | {"protocol"},
    "attestation": BOTTOM | {"protocol", "attestation", "tpm"},
    "registration": BOTTOM | {"protocol", "registration"},
    "network": BOTTOM | {"protocol", "attestation", "network"},
    "transports": BOTTOM | {"protocol", "attestation", "network", "transports"},
    "settings": BOTTOM | {"protocol", "attestation", "network", "transports"},
    "assignments": BOTTOM | {"protocol", "attestation", "network", "transports", "assignments"},
    "provisioning": BOTTOM
    | {"protocol", "attestation", "network", "registration", "transports", "settings"}
    | {"assignments", "provisioning"},
    "client": BOTTOM | {"attestation", "registration", "settings", "assignments", "provisioning"},
    "checks": BOTTOM
    | {"protocol", "attestation", "network", "registration", "transports", "settings", "client"}
    | {"pki", "checks"},
    "pki": {"errors", "models", "input_files", "key_text", "printable", "pki"},
    "tpm": {"errors", "argument_types", "tpm"},
    "emulator": {
        "errors",
        "models",
        "tpm",
        "input_files",
        "key_text",
        "printable",
        "pki",
        "emulator",
    },
    "fleet": BOTTOM
    | {"protocol", "attestation", "network", "registration", "transports", "settings", "client"}
    | {"pki", "process", "fleet", "__init__"},
    "__init__": BOTTOM
    | {"attestation", "network", "registration", "transports", "settings", "client"}
    | {"assignments"},
    "testing": {"errors", "pki", "tpm", "emulator"},
    "__main__": {"cli"},
}
"""Which part may import which; `cli` stands on top and may import all. The registration's driver
alone may also see `transports.base`."""

MODULES = {dotted(path) for path in FILES}


def part_of(module: str) -> str:
    """Name the part of the package that a dotted name belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path) -> Iterator[str]:
    """Name each module of ours that a module imports, wherever it does."""
    for node in nodes(path):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in MODULES)
            case ast.ImportFrom(module=str(module), names=names, level=0) if module in MODULES:
                for alias in names:
                    below = f"{module}.{alias.name}"
                    yield below if below in MODULES else module


def goes_up(path: Path, module: str) -> bool:
    """Tell whether a file may not import a module."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    drives = path.name == "driver.py" and module == "aiodps.transports.base"
    return part != "cli" and not drives and part_of(module) not in MAY_IMPORT[part]


def test_imports_point_down() -> None:
    """A module imports only what lies below its part."""
    upward = [
        f"{short(path)} imports {module}"
        for path in FILES
        for module in imports(path)
        if goes_up(path, module)
    ]

    assert upward == []


def folder_of(name: str) -> str:
    """Name the folder of a module; each file on top is a part of its own."""
    above = name.rpartition(".")[0]
    is_folder = (PACKAGE.parent / name.replace(".", "/")).is_dir()
    return name if is_folder or above == "aiodps" else above


@pytest.mark.parametrize("node_of", [str, folder_of], ids=["files", "folders"])
def test_no_import_goes_in_a_circle(node_of: Callable[[str], str]) -> None:
    """Neither between files nor between folders."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        node = node_of(dotted(path))
        graph.setdefault(node, set()).update({node_of(name) for name in imports(path)} - {node})

    graphlib.TopologicalSorter(graph).prepare()


def test_a_telemetry_library_is_imported_by_whoever_asks_for_it() -> None:
    """`import aiodps` costs nothing of it, and works without it."""
    users = {
        short(path)
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom | ast.Import) and "opentelemetry" in ast.unparse(node)
    }

    assert users == {"watching/otel.py"}
    assert not any(part_of(name) == "watching" for path in FILES for name in imports(path))


def test_the_emulator_refuses_in_its_own_words() -> None:
    """Errors of the client's are not its own: only those for whoever configures it."""
    taken = {
        alias.name
        for path in (PACKAGE / "emulator").rglob("*.py")
        for node in nodes(path)
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

    data = {"collections", "dataclasses", "enum"}
    allowed = {"__future__", "abc", "hashlib", "math", "typing"} | data
    for node in nodes(path):
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
    for path in FILES:
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] in {"protocol", "emulator", "testing.py", "cli"}:
            continue

        code = [
            node.value
            for node in nodes(path)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for wire in ("registrationId", "assignedHub", "iotdps-register"):
            assert wire not in code, f"{relative} has the wire name {wire}"
