"""What keeps the state of an instance: documents by kind and key, written before answers leave.

The collections hold everything in memory and write each change through to a store. They never read
it back but at the start; so a store has to be neither fast nor clever at reading.
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
    """What a document is about, and by what key."""

    INSTANCE = "instance"
    """The instance itself: its name, its keys. By what is kept."""
    ENROLLMENT = "enrollment"
    """An individual enrollment, by its registration id in lower case."""
    GROUP = "group"
    """An enrollment group, by its id in lower case."""
    CERTIFICATE = "certificate"
    """A CA certificate of the instance, by its name in lower case."""
    REGISTRATION = "registration"
    """The registration record of a device and its operations, by registration id in lower case."""
    HUB_DEVICE = "hub device"
    """A device at a linked hub and its twin, by hub and device id."""


class StoreError(Exception):
    """The changes since the last good `commit` could not be kept; the next one tries again."""


class Store(Protocol):
    """Keeps documents. Not for more than one thread."""

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:
        """Go through the documents of a kind with their keys, in the order they were first put."""
        ...

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Have a document written in the place of the one before, by the next `commit`.

        Args:
            kind: See above.
            key: See above.
            write: Makes the document, now or later, of what never changes. A store that keeps
                nothing never calls it.
        """
        ...

    def delete(self, kind: Kind, key: str) -> None:
        """Forget a document, if there is one; forgotten from the next `commit` on."""
        ...

    def commit(self) -> None:
        """Keep all changes, or none of them. Before this, no answer may tell of them.

        Raises:
            StoreError: If they cannot be kept now.
        """
        ...


@contextmanager
def reading(kind: Kind) -> Iterator[None]:
    """Make sense of the documents of a kind.

    Raises:
        ConfigurationError: If the block fails for what they hold: it is not what we write.
    """
    try:
        yield
    except ConfigurationError:
        raise  # it is a ValueError, and says more
    except (LookupError, TypeError, ValueError) as exc:
        raise ConfigurationError(
            f"the state file makes no sense: it holds a bad {kind}",
            setting="state",
            hint="name a file that is not there yet, and keep this one if its state matters",
        ) from exc


class MemoryStore:
    """Keeps nothing: what the collections hold in memory is all there is."""

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:  # noqa: ARG002 (a Store)
        """Return nothing."""
        return ()

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Do nothing."""

    def delete(self, kind: Kind, key: str) -> None:
        """Do nothing."""

    def commit(self) -> None:
        """Do nothing."""
