"""The request log as JSON lines, one for each exchange, for files and for the admin API.

Each line is an object with all of these members, in this order:

    time             time of the response, "2026-11-24T17:31:05.0123456Z"
    transport        "https", "mqtt" or "mqtt-ws"
    operation        "register", "operation status", "device registration status lookup"; or
                     the request itself: "GET /x", "CONNECT", "TLS handshake"
    registration_id  string, or null
    certificate      null, or {"subject": "CN=...", "sha256": "6F3C..."}: the client's
    key_name         name of the key of its shared access signature, "" if it has none; or null
    status           of HTTP or of the MQTT topic; null without a response
    error_code       the service's errorCode, or null
    message          why it was refused, or how the registration ended if not assigned; or null
    fault            names of the fault rules that applied, joined with " + "; or null
    took             seconds, without what a fault adds
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Final

from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.request_log.log import Exchange, RequestLog
from aiodps.errors import ConfigurationError

STANDARD_OUTPUT: Final = "-"

log: Final = logging.getLogger(__name__)


def to_json(exchange: Exchange) -> dict[str, Any]:
    """Convert an exchange to the object of a line."""
    shown = {"subject": exchange.certificate, "sha256": exchange.thumbprint}
    return {
        "time": timestamp(exchange.time),
        "transport": exchange.transport,
        "operation": exchange.what,
        "registration_id": exchange.registration_id,
        "certificate": None if exchange.certificate is None else shown,
        "key_name": exchange.key_name,
        "status": exchange.status_code or None,
        "error_code": exchange.error_code,
        "message": exchange.message,
        "fault": exchange.fault,
        "took": round(exchange.took, 6),
    }


@contextmanager
def write_to(request_log: RequestLog, path: str | Path) -> Iterator[None]:
    """Append each exchange to a file as it happens, for the duration of the block.

    Args:
        request_log: Source of the exchanges.
        path: The file; `-` for standard output.

    Raises:
        ConfigurationError: If the file cannot be opened.
    """
    if str(path) == STANDARD_OUTPUT:
        with request_log.listen(_Writer(_print).record):
            yield
    else:
        with _open(Path(path)) as file, request_log.listen(_Writer(file.write).record):
            yield


class _Writer:
    """Writer of lines; a full disk ends the writing, not the emulator."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write: Callable[[bytes], object] | None = write

    def record(self, exchange: Exchange) -> None:
        if self._write is None:
            return

        line = json.dumps(to_json(exchange), separators=(",", ":")) + "\n"
        try:
            self._write(line.encode())
        except (OSError, ValueError):
            log.exception("the request log cannot be written any more")
            self._write = None


def _print(line: bytes) -> None:
    sys.stdout.write(line.decode())
    sys.stdout.flush()


def _open(path: Path) -> FileIO:
    try:
        # Without a buffer: what was written has left this process, and nothing is left to flush.
        return path.open("ab", buffering=0)
    except OSError as exc:
        raise ConfigurationError(
            f"{str(path)!r} cannot be written to: {exc.strerror}",
            setting="log_json",
            hint="check the directory and its permissions",
        ) from exc
