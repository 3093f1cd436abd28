"""`ProvisioningError`: what every error says, how it is written, and how it crosses processes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from aiodps.key_text import without_keys
from aiodps.models import Phase
from aiodps.printable import printable


class ProvisioningError(Exception):
    """Base class of every error that aiodps raises; never raised itself."""

    default_hint: ClassVar[str] = "see `__cause__` for the underlying error"

    phase: Phase = Phase.CONFIGURATION
    """Where the registration was when the error occurred."""
    transport: str | None = None
    """Name of the transport, such as "rest"; None before one was chosen."""
    attempts: int = 0
    """Attempts made so far: the first, and one more for each failure before."""
    elapsed: float = 0.0
    """Seconds since the registration started."""
    registration_id: str | None = None
    """The device's registration id; None before it was known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message: str = printable(without_keys(message))
        super().__init__(self.message)
        self.hint: str = printable(hint or self.default_hint)

    def locate(
        self,
        *,
        phase: Phase | None = None,
        transport: str | None = None,
        attempts: int | None = None,
        elapsed: float | None = None,
        registration_id: str | None = None,
    ) -> Self:
        """Set where the error happened; an argument that is None changes nothing."""
        given = {
            "phase": phase,
            "transport": transport,
            "attempts": attempts,
            "elapsed": elapsed,
            "registration_id": registration_id,
        }
        vars(self).update({name: value for name, value in given.items() if value is not None})
        return self

    def facts(self) -> dict[str, Any]:
        """Return the error as plain values, for logs and `--json`."""
        facts = {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "phase": self.phase.value,
            "transport": self.transport,
            "attempts": self.attempts,
            "elapsed": round(self.elapsed, 3),
            "registration_id": self.registration_id,
        }
        extra = {key: value for key, value in vars(self).items() if key not in facts}
        return facts | {key: _plain(value) for key, value in extra.items()}

    def __str__(self) -> str:
        """Return one line that can be pasted into a support ticket."""
        tried = f", attempts {self.attempts}, {self.elapsed:.2f} s" if self.attempts else ""
        device = f", registration id {self.registration_id!r}" if self.registration_id else ""
        return f"{self.message} (phase {self.phase.value}{tried}{device}); {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all attributes, although the constructors are keyword-only."""
        return _revive, (type(self), self.args, dict(vars(self)))


def _revive(kind: type[ProvisioningError], args: Any, state: dict[str, Any]) -> ProvisioningError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def _plain(value: object) -> object:
    return str(value) if isinstance(value, ProvisioningError) else value


class _ReasonedError(ProvisioningError):
    """An error with a short, machine-readable `reason` besides its message."""

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
