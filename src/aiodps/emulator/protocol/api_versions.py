"""The versions of the device API, and how they differ.

Versions are days, so they sort as texts. Sources: Microsoft's published specifications, the
versions its own clients name, and recordings of the oldest.

| from | what |
| --- | --- |
| the first to 2017-11-15 | over MQTT, every success has status 200 and no `retry-after` |
| 2018-11-01 | `payload`, from and to devices |
| 2025-07-01-preview | `csr` in a registration, and `issuedCertificateChain` |
| 2026-11-02-preview | `connectionProfile` of an assigned device |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aiodps.emulator.protocol.messages import Request, Response, Transport

API_VERSIONS: Final = frozenset(
    {
        "2017-08-31-preview",
        "2017-11-15",
        "2018-04-01",
        "2018-09-01-preview",
        "2018-11-01",
        "2019-03-31",
        "2021-06-01",
        "2021-10-01",
        "2021-11-01-preview",
        "2025-07-01-preview",
        "2026-04-01",
        "2026-07-01-preview",
        "2026-11-01",
        "2026-11-02-preview",
        "2026-11-15-preview",
    }
)
"""Versions of the device API."""

_WITH_STATUSES = "2018-04-01"
_WITH_PAYLOAD = "2018-11-01"
_WITH_CSR = "2025-07-01-preview"
_WITH_PROFILE = "2026-11-02-preview"
_SINCE = {"payload": _WITH_PAYLOAD, "issuedCertificateChain": _WITH_CSR}
_CLASSIC = {"connectionProfile": "classic"}
"""For devices that speak MQTT 3.1.1 to their hub, as all of this emulator do."""


def has_payload(api_version: str) -> bool:
    """Whether the version has `payload`, from and to devices."""
    return api_version >= _WITH_PAYLOAD


def has_csr(api_version: str) -> bool:
    """Whether the version has `csr` in a registration."""
    return api_version >= _WITH_CSR


def shape_response(response: Response, request: Request) -> Response:
    """Convert a successful response to the api-version of its request.

    Args:
        response: As version 2026-11-01 has it.
        request: Its version is one of `API_VERSIONS`.
    """
    version = request.api_version or ""
    body = _shape_body(response.body, version)
    if request.transport is Transport.MQTT and version < _WITH_STATUSES:
        return replace(response, status_code=200, retry_after=None, body=body)

    return response if body is response.body else replace(response, body=body)


def _shape_body(body: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    state = body.get("registrationState")
    if state is None:
        return shape_state(body, version)

    shaped = shape_state(state, version)
    return body if shaped is state else {**body, "registrationState": shaped}


def shape_state(state: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Convert a registration state to an api-version."""
    if "assignedHub" not in state:
        return state

    if version >= _WITH_PROFILE:
        return {**state, **_CLASSIC}

    dropped = {name for name, since in _SINCE.items() if version < since and name in state}
    if not dropped:
        return state

    return {name: value for name, value in state.items() if name not in dropped}
