"""The journal as JSON: one line for each exchange, for files and for the control port.

Each line is an object with these members, always all of them, and in this order:

    time             when it was answered, "2026-11-24T17:31:05.0123456Z"
    front            "https", "mqtt" or "mqtt-ws"
    operation        "register", "operation status", "device registration status lookup"; for
                     anything else, words: "GET /x", "CONNECT", "TLS handshake"
    registration_id  text, or null
    certificate      null, or {"subject": "CN=...", "sha256": "6F3C..."}: what the client showed
    key_name         name of the key of its shared access signature, "" if it has none; or null
    status           of HTTP or of the MQTT topic; null if nothing was answered
    error_code       the service's errorCode, or null
    message          why it was refused, or null
    fault            names of the fault rules that struck, joined with " + "; or null
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

log = logging.getLogger(__name__)


def to_json(exchange: Exchange) -> dict[str, Any]:
    """Write an exchange as the object that a line holds."""
    shown = {"subject": exchange.certificate, "sha256": exchange.thumbprint}
    return {
        "time": timestamp(exchange.time),
        "front": exchange.transport,
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
def written(request_log: RequestLog, path: str | Path) -> Iterator[None]:
    """Write each exchange to a file as it happens, until the block is left.

    Args:
        request_log: Where they come from.
        path: What it is added to; `-` for standard output.

    Raises:
        ConfigurationError: If the file cannot be opened.
    """
    if str(path) == STANDARD_OUTPUT:
        with request_log.listen(_Writer(_print).note):
            yield
    else:
        with _open(Path(path)) as file, request_log.listen(_Writer(file.write).note):
            yield


class _Writer:
    """Writes lines, each at once; a full disk ends the writing, not the emulator."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write: Callable[[bytes], object] | None = write

    def note(self, exchange: Exchange) -> None:
        if self._write is None:
            return

        line = json.dumps(to_json(exchange), separators=(",", ":")) + "\n"
        try:
            self._write(line.encode())
        except (OSError, ValueError):
            log.exception("the journal cannot be written any more")
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
            f"{str(path)!r} cannot be written: {exc.strerror}",
            setting="log_json",
            hint="check the directory and its permissions",
        ) from exc
