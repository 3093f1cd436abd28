"""The target of a run in words: which service the devices asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiodps.protocol.identifiers import is_azure

OWN_EMULATOR: Final = "an emulator on this machine"


def target_name(environment: Mapping[str, Any]) -> str:
    """Return the service and its id scope, from the facts about a run; "" if it has none."""
    if environment.get("emulator"):
        return OWN_EMULATOR

    endpoint, id_scope = environment.get("endpoint"), environment.get("id_scope")
    return f"{endpoint}, id scope {id_scope}" if endpoint and id_scope else str(endpoint or "")


def service_name(environment: Mapping[str, Any]) -> str:
    """Return a short name of the service."""
    if environment.get("emulator"):
        return OWN_EMULATOR

    endpoint = str(environment.get("endpoint") or "the service")
    return "Azure" if is_azure(endpoint) else endpoint


def transport_names(names: Mapping[str, Any]) -> str:
    """Return transports in words: "rest and mqtt"."""
    first, last = sorted(names, reverse=True)[:-1], sorted(names, reverse=True)[-1:]
    return " and ".join([", ".join(first), *last] if first else last) or "no transport"
