"""The versions of the device API, and how they differ.

Versions are days, so they sort as texts. Sources: Microsoft's published specifications, the
versions its own clients name, and recordings of the oldest.

| from | what |
| --- | --- |
| the first to 2017-11-15 | over MQTT, whatever goes well has status 200 and no `retry-after` |
| 2018-11-01 | `payload`, from and to devices |
| 2025-07-01-preview | `csr` in a registration; an older version does not know it |
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
"""All of them."""

_WITH_STATUSES = "2018-04-01"
_WITH_PAYLOAD = "2018-11-01"
_WITH_PROFILE = "2026-11-02-preview"
_CLASSIC = {"connectionProfile": "classic"}
"""Of a device that speaks MQTT 3.1.1 to its hub, which all of this emulator's do."""


def has_payload(api_version: str) -> bool:
    """Whether devices may have something to say to a webhook."""
    return api_version >= _WITH_PAYLOAD


def shaped(response: Response, request: Request) -> Response:
    """Give an answer that goes well the shape of the version that was asked.

    Args:
        response: As the newest version has it, without what only newer ones know.
        request: That it answers; its version is one of `API_VERSIONS`.
    """
    version = request.api_version or ""
    body = _shaped_body(response.body, version)
    if request.transport is Transport.MQTT and version < _WITH_STATUSES:
        return replace(response, status_code=200, retry_after=None, body=body)

    return response if body is response.body else replace(response, body=body)


def _shaped_body(body: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    state = body.get("registrationState")
    if state is not None:
        told = shaped_state(state, version)
        return body if told is state else {**body, "registrationState": told}

    return shaped_state(body, version)


def shaped_state(state: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Give the state of a registration the shape of a version."""
    if "assignedHub" not in state:
        return state

    if version >= _WITH_PROFILE:
        return {**state, **_CLASSIC}

    if "payload" in state and not has_payload(version):
        return {name: value for name, value in state.items() if name != "payload"}

    return state
