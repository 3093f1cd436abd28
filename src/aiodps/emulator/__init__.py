"""A Device Provisioning Service on this machine."""

from __future__ import annotations

try:
    from aiodps.emulator.emulator import Emulator
except ModuleNotFoundError as _exc:
    if (_exc.name or "").partition(".")[0] not in {
        "OpenSSL",
        "httptools",
        "starlette",
        "jinja2",
    }:
        raise

    raise ModuleNotFoundError(
        "the emulator needs more packages: pip install 'aiodps[emulator]'", name=_exc.name
    ) from _exc

__all__ = ["Emulator"]
