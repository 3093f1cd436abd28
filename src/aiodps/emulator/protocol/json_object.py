"""Reading members of a JSON object that people write, with errors that say where."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiodps.emulator.protocol.formats import read_timestamp
from aiodps.errors import ConfigurationError

_Word = TypeVar("_Word", bound=enum.StrEnum)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object and where it stands."""

    document: Mapping[str, Any] = field(repr=False)
    """Never in a repr: it may hold keys."""
    place: str
    """Which entry it belongs to, for messages."""
    path: str = ""
    """The members that lead to it, each followed by a dot."""

    def text(self, name: str) -> str | None:
        """Return a text; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else, or empty.
        """
        value = self.document.get(name)
        if value is not None and not isinstance(value, str):
            raise self.fault(name, "is not a text")

        if value is not None and not value.strip():
            raise self.fault(name, "is empty")

        return value

    def required_text(self, name: str) -> str:
        """Return a text that must be there.

        Raises:
            ConfigurationError: If it is not.
        """
        value = self.text(name)
        if value is None:
            raise self.fault(name, "is missing")

        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self.document.get(name)
        if value is None:
            return ()

        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            return tuple(value)

        raise self.fault(name, "is not a list of texts")

    def flag(self, name: str) -> bool | None:
        """Return true or false; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self.document.get(name)
        if isinstance(value, bool | None):
            return value

        raise self.fault(name, "is neither true nor false")

    def time(self, name: str) -> float | None:
        """Return a time (ISO 8601, of UTC) in seconds since 1970; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self.text(name)
        if value is None:
            return None

        try:
            return read_timestamp(value)
        except ValueError as exc:
            raise self.fault(name, "is not a time") from exc

    def word(self, name: str, words: type[_Word]) -> _Word | None:
        """Return one word of a few, in any casing; None if it is absent or null.

        Raises:
            ConfigurationError: If it is another one; the message lists them.
        """
        value = self.text(name)
        if value is None:
            return None

        found = next((word for word in words if word.lower() == value.lower()), None)
        if found is None:
            raise self.fault(name, f"is {value!a}, not one of: {', '.join(words)}")

        return found

    def members(self, name: str) -> JsonObject | None:
        """Return an object; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self.document.get(name)
        if value is None:
            return None

        if isinstance(value, dict):
            return JsonObject(value, self.place, f"{self.path}{name}.")

        raise self.fault(name, "is not an object")

    def required_members(self, name: str) -> JsonObject:
        """Return an object that must be there.

        Raises:
            ConfigurationError: If it is not.
        """
        value = self.members(name)
        if value is None:
            raise self.fault(name, "is missing")

        return value

    def fault(self, name: str, what: str) -> ConfigurationError:
        """Make the error that says what is wrong with a member; an empty name is the object."""
        member = f"{self.path}{name}".rstrip(".")
        return ConfigurationError(
            f"{self.place}: {member} {what}" if member else f"{self.place} {what}",
            setting="enrollments",
            hint="write enrollments as the service API does",
        )
