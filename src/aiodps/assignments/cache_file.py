"""The file of one stored assignment: how it is written, and read as untrusted input.

It is a JSON object with a checksum. Whatever does not hold is a reason not to use it, and none is
an error: the device registers instead, and the file is replaced.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiodps.assignments.cache_key import CacheKey
from aiodps.errors import MalformedResponseError, ProvisioningError
from aiodps.fresh_files import fresh_file, sync_folder
from aiodps.models import Assignment
from aiodps.protocol.limits import MAX_BODY
from aiodps.protocol.payloads import parse_assignment
from aiodps.protocol.strict_json import read_object

FORMAT: Final = "aiodps assignment 1"
"""Says what the file is; another format is another number."""
MAX_FILE: Final = 4 * MAX_BODY
"""Bytes; JSON in ASCII takes up to three times as many as in UTF-8."""
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Miss:
    """Why no stored assignment is returned."""

    why: str
    damaged: bool = False
    """Whether there is a file, but a damaged or untrusted one."""


def encode(key: CacheKey, assignment: Assignment) -> str:
    """Return the content of the file."""
    content = {
        "format": FORMAT,
        "key": dataclasses.asdict(key),
        "transport": assignment.transport,
        "credential": assignment.credential,
        "state": assignment.raw,
    }
    return json.dumps({**content, "sha256": _checksum(content)}) + "\n"


def decode(
    data: bytes, key: CacheKey, *, registration_id: str, hub_suffixes: Sequence[str]
) -> Assignment | Miss:
    """Return the assignment in the content of a file.

    Args:
        data: The content, which may be anything.
        key: What the assignment has to be an answer to.
        registration_id: The registration id as the caller writes it.
        hub_suffixes: Domains that the hub may be in.
    """
    try:
        document = read_object(data)
    except MalformedResponseError:
        return Miss("is damaged: it is not JSON", damaged=True)

    checksum = document.pop("sha256", None)
    match document:
        case {"format": str(found)} if found != FORMAT:
            return Miss(f"has another format: {found[:40]!a}", damaged=True)
        case {
            "key": dict(stored),
            "transport": str(transport),
            "credential": int(credential),
            "state": dict(state),
        } if checksum == _checksum(document):
            pass
        case _:
            return Miss("is damaged: its checksum is wrong", damaged=True)

    changed = [
        name for name, value in dataclasses.asdict(key).items() if stored.get(name) != value
    ]
    if changed:
        return Miss(f"is for other {' and '.join(changed)}")

    try:
        assignment = parse_assignment(
            state,
            registration_id=registration_id,
            transport=transport,
            hub_suffixes=hub_suffixes,
        )
    except ProvisioningError as error:
        return Miss(f"cannot be used: {error.message}")

    return dataclasses.replace(assignment, credential=credential, cached=True)


def read_entry(path: Path) -> bytes | Miss:
    """Return the content of a file, if it is this user's own."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            fault = _fault(os.fstat(handle))
            data = b"" if fault else file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return Miss("does not exist")
    except OSError as exc:
        return Miss(f"cannot be read: {exc.strerror}", damaged=True)

    if fault or len(data) > MAX_FILE:
        return Miss(fault or "is too large", damaged=True)

    return data


def _fault(found: os.stat_result) -> str | None:
    """Return why a file is not to be trusted: who writes it decides where the device connects."""
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"

    if not hasattr(os, "geteuid"):
        return None  # the modes of Windows say nothing of other users

    if found.st_uid != os.geteuid():
        return "belongs to another user"

    return "can be written by other users" if found.st_mode & _OTHERS_MAY_WRITE else None


def write_entry(path: Path, content: str) -> None:
    """Write a file that outlasts a power failure once this returns; only its owner may read it.

    Raises:
        OSError: If it cannot be written.
    """
    _make_folder(path.parent)
    with fresh_file(path, mode=0o600, durable=True) as file:
        file.write(content)


def _make_folder(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def _checksum(content: dict[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()
