"""Liberties that a request takes with HTTP; only `--strict` minds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
from urllib.parse import unquote

from aiodps.emulator.fronts.http_messages import HttpRequest
from aiodps.emulator.liberties import Liberty
from aiodps.emulator.wire import Operation, Request


def http_liberties(request: HttpRequest, wish: Request) -> tuple[Liberty, ...]:
    """Name the liberties that a request takes; `wish` is what it asks for."""
    path, _, query = request.target.partition("?")
    base = f"/{wish.id_scope}/registrations/{wish.registration_id}"
    known = unquote(path) == base + _end(wish) and query == f"api-version={wish.api_version}"
    return (() if known else (Liberty.HTTP_TARGET,)) + tuple(_of_headers(request))


def _end(wish: Request) -> str:
    """Return what follows the registration id in the path, as the specification writes it."""
    match wish.operation:
        case Operation.REGISTER:
            return "/register"
        case Operation.OPERATION_STATUS:
            return f"/operations/{wish.operation_id}"
        case Operation.STATUS_LOOKUP:
            return ""
        case _:
            assert_never(wish.operation)


def _of_headers(request: HttpRequest) -> Iterator[Liberty]:
    if "content-encoding" in request.headers:
        yield Liberty.CONTENT_ENCODING

    if not request.body:
        return

    if request.method == "GET":
        yield Liberty.BODY_ON_GET

    kind, _, _ = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json":
        yield Liberty.CONTENT_TYPE
