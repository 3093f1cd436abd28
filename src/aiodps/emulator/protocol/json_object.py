"""Typed access to the members of a JSON object, with errors that name the member."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiodps.emulator.protocol.formats import read_timestamp
from aiodps.errors import ConfigurationError

_Member = TypeVar("_Member")
_Word = TypeVar("_Word", bound=enum.StrEnum)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object, and where it was found."""

    document: Mapping[str, Any] = field(repr=False)
    """Never in a repr: it may hold keys."""
    source: str
    """The entry it belongs to, for error messages."""
    path: str = ""
    """The members that lead to it, each followed by a dot."""

    def string(self, name: str) -> str | None:
        """Return a string; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else, or empty.
        """
        value = self._member(name, str, "is not a string")
        if value is not None and not value.strip():
            raise self.error(name, "is empty")

        return value

    def required_string(self, name: str) -> str:
        """Return a string that is required.

        Raises:
            ConfigurationError: If it is missing.
        """
        return self._present(name, self.string(name))

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; empty if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        values = self._member(name, list, "is not a list of strings") or []
        if all(isinstance(each, str) and each for each in values):
            return tuple(values)

        raise self.error(name, "is not a list of strings")

    def flag(self, name: str) -> bool | None:
        """Return true or false; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        return self._member(name, bool, "is neither true nor false")

    def required_flag(self, name: str) -> bool:
        """Return true or false, which is required.

        Raises:
            ConfigurationError: If it is missing or anything else.
        """
        return self._present(name, self.flag(name))

    def time(self, name: str) -> float | None:
        """Return a time (ISO 8601, of UTC) in seconds since 1970; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self.string(name)
        if value is None:
            return None

        try:
            return read_timestamp(value)
        except ValueError as exc:
            raise self.error(name, "is not a time") from exc

    def word(self, name: str, words: type[_Word]) -> _Word | None:
        """Return a value of an enumeration, in any casing; None if it is absent or null.

        Raises:
            ConfigurationError: If it is not one of them; the message lists them.
        """
        value = self.string(name)
        if value is None:
            return None

        found = next((word for word in words if word.lower() == value.lower()), None)
        if found is None:
            raise self.error(name, f"is {value!a}, not one of: {', '.join(words)}")

        return found

    def object(self, name: str) -> JsonObject | None:
        """Return an object; None if it is absent or null.

        Raises:
            ConfigurationError: If it is anything else.
        """
        value = self._member(name, dict, "is not an object")
        return None if value is None else JsonObject(value, self.source, f"{self.path}{name}.")

    def required_object(self, name: str) -> JsonObject:
        """Return an object that is required.

        Raises:
            ConfigurationError: If it is missing.
        """
        return self._present(name, self.object(name))

    def error(self, name: str, what: str) -> ConfigurationError:
        """Make the error for a member; an empty name stands for the object itself."""
        member = f"{self.path}{name}".rstrip(".")
        return ConfigurationError(
            f"{self.source}: {member} {what}" if member else f"{self.source} {what}",
            setting="enrollments",
            hint="write enrollments as the service API does",
        )

    def _member(self, name: str, kind: type[_Member], problem: str) -> _Member | None:
        value = self.document.get(name)
        if value is None or isinstance(value, kind):
            return value

        raise self.error(name, problem)

    def _present(self, name: str, value: _Member | None) -> _Member:
        if value is None:
            raise self.error(name, "is missing")

        return value
