"""`AssignmentCache`: a folder with the assignments of devices, one file each.

One file for each device: processes that provision different devices do not interfere, and a file
replaces an earlier one atomically. So no lock is needed, and none can be left by a
process that was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import anyio

from aiodps.argument_types import check_type
from aiodps.assignments.cache_file import Miss, decode, encode, read_entry, write_entry
from aiodps.assignments.cache_key import CacheKey
from aiodps.attestation.base import Attestation
from aiodps.errors import TpmError
from aiodps.fresh_files import remove_drafts
from aiodps.input_files.origin import Origin
from aiodps.models import Assignment, JsonObject, Phase
from aiodps.observe import Reporter, StepKind
from aiodps.transports.base import Target


@final
class AssignmentCache:
    """A folder in which assignments are stored: one device's, or those of many.

    It keeps no file open, and may be shared by tasks, threads and processes. The files contain no
    secret of the device, but they do contain what a webhook returned for it. Only their owner may
    read them.
    """

    def __init__(self, folder: str | Path) -> None:
        """Name the folder, which is created when something is stored.

        Args:
            folder: Its path; it outlasts a restart of the device, unlike `/tmp` or `/run`.

        Raises:
            ConfigurationError: If it is not a path.
        """
        check_type(folder, str | Path, "cache")
        origin = Origin.file(folder, what="cache folder", kind="cache")
        if origin.shown_path is None:
            raise origin.error("is not a path, but content", reason="not_a_path")

        self.folder: Path = Path(folder)
        """The folder."""
        self._tidy = False

    def __repr__(self) -> str:
        """Return the folder."""
        return f"AssignmentCache({os.fspath(self.folder)!r})"

    def read(self, key: CacheKey) -> bytes | Miss:
        """Return the stored bytes for a key, or why there are none."""
        return read_entry(self.folder / key.file_name)

    def look_up(
        self, key: CacheKey, *, registration_id: str, hub_suffixes: Sequence[str]
    ) -> Assignment | Miss:
        """Return the assignment that is stored for a key, or why there is none; see `decode`."""
        return _decoded(
            self.read(key), key, registration_id=registration_id, hub_suffixes=hub_suffixes
        )

    def store(
        self, key: CacheKey, assignment: Assignment, *, seen: bytes | Miss | None = None
    ) -> None:
        """Store an assignment; once this returns, it outlasts a power failure.

        Args:
            key: What it is the answer to.
            assignment: The assignment.
            seen: What `read` returned when the registration began, which this one replaces. If
                another process has stored a later one since then, that one stays.

        Raises:
            OSError: If it cannot be written. An earlier one, which is out of date now, is removed
                unless the folder cannot be written to at all.
        """
        if not self._tidy:
            self._tidy = True
            remove_drafts(self.folder)

        found = self.read(key)
        if found != seen and _is_later(found, key, assignment):
            return

        path = self.folder / key.file_name
        try:
            write_entry(path, encode(key, assignment))
        except OSError:
            with suppress(OSError):
                path.unlink(missing_ok=True)

            raise


def _is_later(found: bytes | Miss, key: CacheKey, other: Assignment) -> bool:
    one = _decoded(found, key, registration_id=key.registration_id, hub_suffixes=("",))
    if isinstance(one, Miss):
        return False

    return bool(one.updated and other.updated and one.updated > other.updated)


def _decoded(
    found: bytes | Miss, key: CacheKey, *, registration_id: str, hub_suffixes: Sequence[str]
) -> Assignment | Miss:
    if isinstance(found, Miss):
        return found

    return decode(found, key, registration_id=registration_id, hub_suffixes=hub_suffixes)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """The entry of one registration in a cache. Failures are reported, and never raised."""

    cache: AssignmentCache
    key: CacheKey
    seen: bytes | Miss
    """What was stored when the registration began; see `AssignmentCache.read`."""
    registration_id: str
    hub_suffixes: Sequence[str]
    report: Reporter

    @classmethod
    async def of(
        cls,
        cache: AssignmentCache,
        target: Target,
        credentials: Sequence[tuple[int, Attestation]],
        payload: JsonObject | None,
        hub_suffixes: Sequence[str],
    ) -> Self:
        """Return the entry of a registration, with what is stored in it.

        Args:
            cache: The cache.
            target: The registration.
            credentials: See `Credentials.usable`.
            payload: The custom payload; None if there is none.
            hub_suffixes: Domains that the hub may be in.

        Raises:
            ConfigurationError: If a credential cannot be recognized.
            CredentialError: If a symmetric key cannot sign.
        """
        key = await CacheKey.of(
            endpoint=target.endpoint,
            id_scope=target.id_scope,
            registration_id=target.registration_id,
            credentials=credentials,
            payload=payload,
        )
        return cls(
            cache=cache,
            key=key,
            seen=await anyio.to_thread.run_sync(cache.read, key),
            registration_id=target.registration_id,
            hub_suffixes=hub_suffixes,
            report=target.report,
        )

    async def find(self, activate: Callable[[Assignment], Awaitable[None]]) -> Assignment | None:
        """Return the assignment that is stored; None if there is none that fits.

        Args:
            activate: Has a TPM import the key for its hub; its refusal means that the assignment
                is of no use any more.
        """
        began = anyio.current_time()
        found = _decoded(
            self.seen,
            self.key,
            registration_id=self.registration_id,
            hub_suffixes=self.hub_suffixes,
        )
        if isinstance(found, Assignment):
            try:
                await activate(found)
            except TpmError as error:
                found = Miss(f"cannot be used: {error.message}")

        if isinstance(found, Miss):
            kind = StepKind.CACHE_FAILED if found.damaged else StepKind.CACHE_MISSED
            self.report(kind, Phase.CONFIGURATION, text=f"{self._path!r} {found.why}")
            return None

        took = anyio.current_time() - began
        self.report(StepKind.CACHED, Phase.CONFIGURATION, text=found.assigned_hub)
        self.report(StepKind.ASSIGNED, Phase.CONFIGURATION, took=took)
        return found

    async def store(self, assignment: Assignment) -> None:
        """Store an assignment before it is returned, or report why that is not possible."""
        fault = await anyio.to_thread.run_sync(self._store, assignment)
        if fault is not None:
            self.report(StepKind.CACHE_FAILED, self.report.phase, text=fault)

    def _store(self, assignment: Assignment) -> str | None:
        try:
            self.cache.store(self.key, assignment, seen=self.seen)
        except OSError as exc:
            stays = ", and keeps an earlier assignment" if os.path.lexists(self._path) else ""
            return f"{self._path!r} cannot be written: {exc.strerror}{stays}"

        return None

    @property
    def _path(self) -> str:
        return os.fspath(self.cache.folder / self.key.file_name)
