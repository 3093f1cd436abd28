"""Names that exist in tests only, all on loopback: a hosts file that needs no root."""

from __future__ import annotations

import socket
from typing import Any

import pytest

DPS = "dps.example.test"


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `dps.example.test` and all below `example.test` lead to 127.0.0.1."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host.endswith(".example.test") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
