"""What happens during a registration, told as it happens: one record, one hook.

Logging, the command's trace and the fleet's measurements are all observers of this hook.
The records lie at the bottom of the package because transports and driver both make them.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from aiodps.models import Phase


class StepKind(enum.StrEnum):
    """What a step tells."""

    RESOLVED = "resolved"
    """The endpoint's name was looked up (`took`)."""
    CONNECTED = "connected"
    """The TCP connection stands (`took`)."""
    SECURED = "secured"
    """The TLS handshake is done (`took`)."""
    SESSION_OPENED = "session-opened"
    """MQTT: CONNACK arrived (`took`)."""
    SUBSCRIBED = "subscribed"
    """MQTT: SUBACK arrived (`took`)."""
    SENT = "sent"
    """A request or packet went out; `text` shows it, secrets masked."""
    RECEIVED = "received"
    """A response or packet came in; `text` shows it, secrets masked."""
    IGNORED = "ignored"
    """Something came in that was not for us, or too late; `text` says what."""
    REGISTERING = "registering"
    """A register request goes out."""
    ACCEPTED = "accepted"
    """The service gave an operation id (`took` since the register request)."""
    POLLING = "polling"
    """A status query goes out."""
    ASSIGNING = "assigning"
    """A status query was answered: not decided yet (`took` since the query)."""
    WAITING = "waiting"
    """Waiting `wait` seconds as the service asked, or the least there is between two polls."""
    RETRYING = "retrying"
    """Something failed (`text`); waiting `wait` seconds before trying again."""
    CLOSED = "closed"
    """The transport is closed; `phase` is where the registration was by then."""
    ASSIGNED = "assigned"
    """Done: there is an assignment (`took` since the beginning)."""
    FAILED = "failed"
    """Done: there is an error (`took` since the beginning)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened during a registration. Holds no secret."""

    kind: StepKind
    """What happened."""
    at: float
    """When, in seconds of the monotonic clock (`time.monotonic`)."""
    registration_id: str
    """Whose registration."""
    transport: str
    """The name of the transport in use, such as "rest"."""
    phase: Phase
    """Where the registration was."""
    took: float | None = None
    """How long it took in seconds; None for a moment."""
    wait: float | None = None
    """How long the registration will wait now in seconds; None if it does not."""
    text: str = field(default="", repr=False)
    """The same for people; what went over the wire for `SENT` and `RECEIVED`."""


class Observer(Protocol):
    """Something that wants to know.

    Called synchronously on the event loop: be quick and do not block. An exception raised by an
    observer is logged and does not disturb the registration.
    """

    def __call__(self, step: Step, /) -> None:
        """Take note of one step."""


class PhaseTimes:
    """Adds up where the time of one registration went: an `Observer` ready to use.

    Phases are those of `Phase`; `Phase.WAIT` is time that the service asked us to wait or that
    passed before trying again.
    """

    def __init__(self) -> None:
        self.seconds: dict[Phase, float] = {}
        """Seconds by phase; a phase that did not happen is not there."""
        self._asked: float | None = None

    def __call__(self, step: Step, /) -> None:
        """Take note of one step."""
        match step.kind:
            case StepKind.REGISTERING | StepKind.POLLING:
                self._asked = step.at
            case StepKind.WAITING | StepKind.RETRYING:
                self._answered(step)
                self._add(Phase.WAIT, step.wait or 0.0)
            case StepKind.ACCEPTED | StepKind.ASSIGNING | StepKind.ASSIGNED | StepKind.FAILED:
                self._answered(step)
            case _ if step.took is not None:
                self._add(step.phase, step.took)

    def _answered(self, step: Step) -> None:
        if self._asked is not None:
            self._add(step.phase, step.at - self._asked)
            self._asked = None

    def _add(self, phase: Phase, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


_log = logging.getLogger("aiodps.registration")


@dataclass(slots=True, eq=False)
class Reporter:
    """Makes steps for one registration and hands them to the observer, if there is one."""

    registration_id: str
    transport: str
    observer: Observer | None = None
    phase: Phase = field(default=Phase.TCP, init=False)
    """Where the registration is, whether anybody listens or not: an attempt that is cancelled
    cannot say itself how far it came. Whoever begins a phase sets it."""

    @property
    def enabled(self) -> bool:
        """Whether anybody listens; nothing needs to be put into words if not."""
        return self.observer is not None

    def __call__(
        self,
        kind: StepKind,
        phase: Phase,
        *,
        took: float | None = None,
        wait: float | None = None,
        text: Callable[[], str] | str = "",
    ) -> None:
        """Report one step; `text` may be a function that is called only if anybody listens."""
        if self.observer is None:
            return

        step = Step(
            kind=kind,
            at=time.monotonic(),
            registration_id=self.registration_id,
            transport=self.transport,
            phase=phase,
            took=took,
            wait=wait,
            text=text if isinstance(text, str) else text(),
        )
        try:
            self.observer(step)
        except Exception:  # noqa: BLE001 (an observer is not ours, whatever it raises)
            _log.exception("an observer failed on %s", kind)


_GLYPHS = {
    StepKind.SENT: ">",
    StepKind.RECEIVED: "<",
    StepKind.WAITING: "~",
    StepKind.RETRYING: "!",
    StepKind.IGNORED: "x",
    StepKind.FAILED: "!",
}


def log_step(step: Step) -> None:
    """Log a step at DEBUG level, without the text of the wire: an `Observer` ready to use."""
    if not _log.isEnabledFor(logging.DEBUG):
        return

    glyph = _GLYPHS.get(step.kind, "=")
    wire = step.kind in {StepKind.SENT, StepKind.RECEIVED}
    _log.debug(
        "%s %s %s %s%s%s%s",
        glyph,
        step.registration_id,
        step.kind.value,
        step.phase.value,
        f" {step.took * 1000:.0f} ms" if step.took is not None else "",
        f" for {step.wait:.1f} s" if step.wait is not None else "",
        f" {step.text}" if step.text and not wire else "",
    )
