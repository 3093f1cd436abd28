"""Which version of aiodps this is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

__version__: Final = version("aiodps")
"""The version that is installed; what the service is told as well."""
