"""Types are there for checkers, and for frameworks that read them at run time."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, get_type_hints

import httpx
import pydantic
import pytest
from fastapi import FastAPI

import aiodps

MODULES = [
    importlib.import_module(name)
    for name in ("aiodps", "aiodps.emulator", "aiodps.fleet", "aiodps.pki", "aiodps.testing")
]

ASSIGNMENT = aiodps.Assignment(
    registration_id="dev-1",
    device_id="press-4",
    assigned_hub="contoso.azure-devices.net",
    status=aiodps.RegistrationStatus.ASSIGNED,
    substatus=aiodps.Substatus.INITIAL_ASSIGNMENT,
    created=datetime(2026, 11, 29, tzinfo=UTC),
    payload={"line": [1, {"deep": [True, None, "text"]}]},
    transport="rest",
    raw={"deviceId": "press-4"},
)


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Name every public class and function of a module, and the methods of the classes."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"]
    for name in names:
        value = getattr(module, name)
        if not getattr(value, "__module__", "").startswith("aiodps"):
            continue

        if inspect.isclass(value) or inspect.isroutine(value):
            yield name, value

        for part, member in inspect.getmembers(value) if inspect.isclass(value) else []:
            function = member.fget if isinstance(member, property) else member
            if inspect.isroutine(function) and "aiodps" in str(
                getattr(function, "__module__", "")
            ):
                yield f"{name}.{part}", function


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_hints_can_be_read(module: ModuleType) -> None:
    """Whatever is public can be asked for its types at run time."""
    unreadable = {}
    for name, value in public(module):
        try:
            get_type_hints(value)
        except (NameError, TypeError) as exc:
            unreadable[name] = exc

    assert not unreadable


def test_pydantic_reads_an_assignment() -> None:
    """A model with an assignment goes out as JSON and comes in again."""

    class Device(pydantic.BaseModel):
        assignment: aiodps.Assignment

    text = Device(assignment=ASSIGNMENT).model_dump_json()

    assert Device.model_validate_json(text).assignment == ASSIGNMENT


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_fastapi_returns_an_assignment() -> None:
    """A route may return an assignment: it is a body with a schema."""
    app = FastAPI()

    @app.get("/devices/{name}")
    async def device(name: str) -> aiodps.Assignment:
        return dataclasses.replace(ASSIGNMENT, registration_id=name)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/devices/dev-2")
        schema = (await http.get("/openapi.json")).json()

    assert answer.json()["registration_id"] == "dev-2"
    assert answer.json()["payload"] == ASSIGNMENT.payload
    assert "assigned_hub" in schema["components"]["schemas"]["Assignment"]["properties"]


def test_version() -> None:
    """The package says its version."""
    assert aiodps.__version__ == importlib.metadata.version("aiodps")
