"""The version of aiodps."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

__version__: Final = version("aiodps")
"""The installed version, which is also sent to the service."""
