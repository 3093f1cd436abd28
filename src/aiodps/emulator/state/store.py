"""The interface of stores: documents by kind and key, committed before responses are sent.

The collections hold everything in memory and write each change through to a store. They read it
only at the start, so a store need not be fast at reading.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from aiodps.errors import ConfigurationError

Document: TypeAlias = Mapping[str, Any]
"""A JSON object."""


class Kind(enum.StrEnum):
    """Kind of a document, with the meaning of its key."""

    INSTANCE = "instance"
    """Id scope, CA, server certificate and access keys, each by its name."""
    ENROLLMENT = "enrollment"
    """An individual enrollment, by its registration id in lower case."""
    GROUP = "group"
    """An enrollment group, by its id in lower case."""
    LINKED_HUB = "linked hub"
    """An IoT hub that was linked, or given a weight, on the page, by its host name."""
    CERTIFICATE = "certificate"
    """A CA certificate of the instance, by its name in lower case."""
    REGISTRATION = "registration"
    """The registration record of a device and its operations, by registration id in lower case."""
    ISSUER = "issuer"
    """A CA that issues certificates to devices, by its policy, or its namespace, in lower case."""
    HUB_DEVICE = "hub device"
    """A device at a linked hub and its twin, by hub and device id."""


class StoreError(Exception):
    """The changes since the last `commit` could not be saved; the next one tries again."""


class Store(Protocol):
    """A store of documents, for one thread."""

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:
        """Iterate over the keys and documents of a kind, in the order they were first put."""
        ...

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Add or replace a document with the next `commit`.

        Args:
            kind: See above.
            key: See above.
            write: Makes the document of an immutable object, now or later. A store in memory
                never calls it.
        """
        ...

    def delete(self, kind: Kind, key: str) -> None:
        """Delete a document, if it exists, with the next `commit`."""
        ...

    def commit(self) -> None:
        """Save all changes or none. Responses that depend on them come after this.

        Raises:
            StoreError: If they cannot be saved.
        """
        ...


@contextmanager
def reading(kind: Kind) -> Iterator[None]:
    """Report any failure of the block as a bad document of a kind.

    Raises:
        ConfigurationError: If the block fails on the contents of a document.
    """
    try:
        yield
    except ConfigurationError:
        raise  # it is a ValueError, and says more
    except Exception as exc:  # of whatever reads it
        raise ConfigurationError(
            f"the state file is invalid: it holds a bad {kind}",
            setting="state",
            hint="name a new file, and keep this one if its state matters",
        ) from exc


class MemoryStore:
    """A store that saves nothing: the collections hold the state in memory."""

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:  # noqa: ARG002 (a Store)
        """Return nothing."""
        return ()

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Do nothing."""

    def delete(self, kind: Kind, key: str) -> None:
        """Do nothing."""

    def commit(self) -> None:
        """Do nothing."""
