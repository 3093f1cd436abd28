"""The parts of `cryptography` that modules name which are imported early (PEP 562).

`from aiodps import provision` does without them; annotations with their types can be evaluated.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

__all__ = ["ec", "rsa", "serialization", "x509"]

_HOMES: Final = {
    "x509": "cryptography.x509",
    "serialization": "cryptography.hazmat.primitives.serialization",
    "ec": "cryptography.hazmat.primitives.asymmetric.ec",
    "rsa": "cryptography.hazmat.primitives.asymmetric.rsa",
}


def __getattr__(name: str) -> ModuleType:
    """Import a part."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    part = globals()[name] = importlib.import_module(_HOMES[name])
    return part
