"""Observation of a registration: steps, and the hook that reports each as it happens.

Logging, the trace of the CLI and the measurements of a fleet are all observers of this hook. This
module imports no transport and no driver, because both report steps.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from aiodps.error_base import ProvisioningError
from aiodps.models import Phase


class StepKind(enum.StrEnum):
    """Kind of a step."""

    STARTED = "started"
    """A registration starts; `text` is the endpoint. `CLOSED` follows whatever happens."""
    LOOK_UP_STARTED = "look-up-started"
    """A look-up starts; `text` is the endpoint. `CLOSED` follows whatever happens."""
    RESOLVED = "resolved"
    """The name of the endpoint was looked up (`took`)."""
    DEQUEUED = "dequeued"
    """The handshake limiter granted a slot, or turns of the event loop, after a wait (`took`)."""
    CONNECTED = "connected"
    """The TCP connection is open (`took`)."""
    TUNNEL_OPENED = "tunnel-opened"
    """The proxy has connected to the service (`took`)."""
    SECURED = "secured"
    """The TLS handshake is complete (`took`)."""
    TRANSPORT_CHOSEN = "transport-chosen"
    """`auto`: connections of several transports have raced; `text` says which has won, and why
    others failed."""
    UPGRADED = "upgraded"
    """MQTT over WebSocket: the server has agreed to the upgrade (`took`)."""
    SESSION_OPENED = "session-opened"
    """MQTT: CONNACK arrived (`took`)."""
    SUBSCRIBED = "subscribed"
    """MQTT: SUBACK arrived (`took`)."""
    SENT = "sent"
    """A request or packet was sent; `text` is its content, with secrets masked."""
    RECEIVED = "received"
    """A response or packet was received; `text` is its content, with secrets masked."""
    IGNORED = "ignored"
    """A packet was received that belongs to no request, or came too late; `text` says which."""
    CACHED = "cached"
    """The assignment was found in the cache: `ASSIGNED` is next, and nothing is sent; `text` is
    the hub."""
    CACHE_MISSED = "cache-missed"
    """The cache has no assignment for this registration; `text` says why."""
    CACHE_FAILED = "cache-failed"
    """A file of the cache is damaged or cannot be written, which is no error; `text` says why."""
    REGISTERING = "registering"
    """A register request is about to be sent."""
    ACCEPTED = "accepted"
    """The service returned an operation id (`took` since the register request)."""
    POLLING = "polling"
    """A status query is about to be sent."""
    ASSIGNING = "assigning"
    """A status query returned that nothing is decided yet (`took` since the query)."""
    LOOKING_UP = "looking-up"
    """A look-up is about to be sent."""
    WAITING = "waiting"
    """Waiting `wait` seconds, as the service asked or as the minimum between two polls."""
    RETRYING = "retrying"
    """Something failed (`text`); waiting `wait` seconds before a retry."""
    REAUTHENTICATED = "reauthenticated"
    """The service refused the credential; `text` says what the device tries now: a new token for
    the service's clock, or the next credential."""
    CLOSED = "closed"
    """The transport is closed; `phase` is the last phase of the registration."""
    ASSIGNED = "assigned"
    """Final: the device is assigned (`took` since the start)."""
    FOUND = "found"
    """Final: a look-up found the registration record (`took` since the start); `text` is its
    status."""
    FAILED = "failed"
    """Final: the registration or the look-up failed (`took` since the start)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event during a registration. Contains no secret."""

    kind: StepKind
    """What happened."""
    at: float
    """When it happened, in seconds of `time.monotonic`."""
    registration_id: str
    """Registration id of the device."""
    transport: str
    """Name of the transport, such as "rest"."""
    phase: Phase
    """Phase of the registration."""
    took: float | None = None
    """Duration in seconds; None if it has none."""
    wait: float | None = None
    """Seconds that the registration is going to wait; None if it does not wait."""
    requested: float | None = None
    """Seconds that the service asked it to wait (Retry-After); None if it did not say."""
    text: str = field(default="", repr=False)
    """Details for people; for `SENT` and `RECEIVED` what went over the wire."""
    error: ProvisioningError | None = field(default=None, repr=False)
    """What failed, for `RETRYING` and `FAILED`; None if nothing did."""


class Observer(Protocol):
    """A callable that receives each step of a registration.

    It is called synchronously in the event loop, so it must be fast and not block. An exception
    that it raises is logged, and does not affect the registration. One with an attribute `wire`
    that is False is not called for `SENT` and `RECEIVED`, whose texts take longer than all else.
    """

    def __call__(self, step: Step, /) -> None:
        """Process a step."""


class PhaseTimes:
    """An `Observer` that adds up the time one registration spent in each phase.

    `Phase.WAIT` is the time waited for the service, and before retries.
    """

    def __init__(self) -> None:
        self.seconds: dict[Phase, float] = {}
        """Seconds by phase; a phase that did not occur is missing."""
        self._requested: float | None = None

    def __repr__(self) -> str:
        """Return the seconds by phase."""
        seconds = ", ".join(f"{phase.value} {took:.3f}" for phase, took in self.seconds.items())
        return f"<PhaseTimes {seconds or 'nothing yet'}>"

    def __call__(self, step: Step, /) -> None:
        """Process a step."""
        match step.kind:
            case StepKind.REGISTERING | StepKind.POLLING | StepKind.LOOKING_UP:
                self._requested = step.at
            case StepKind.WAITING | StepKind.RETRYING:
                self._end_request(step)
                self._add(Phase.WAIT, step.wait or 0.0)
            case (
                StepKind.REAUTHENTICATED
                | StepKind.ACCEPTED
                | StepKind.ASSIGNING
                | StepKind.ASSIGNED
                | StepKind.FOUND
                | StepKind.FAILED
            ):
                self._end_request(step)
            case _ if step.took is not None:
                self._add(step.phase, step.took)

    def _end_request(self, step: Step) -> None:
        if self._requested is not None:
            self._add(step.phase, step.at - self._requested)
            self._requested = None

    def _add(self, phase: Phase, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


_log = logging.getLogger("aiodps.registration")


def event_loop_clock() -> Callable[[], float]:
    """Return the clock of the running event loop, that of `anyio.current_time`.

    On asyncio it is the loop's own: anyio finds out at each call which library is running.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None

    return anyio.current_time if task is None else task.get_loop().time


@dataclass(slots=True, eq=False)
class Reporter:
    """Creates the steps of one registration and passes them to the observer, if there is one."""

    registration_id: str
    transport: str
    observer: Observer | None = None
    mask: Callable[[str], str] | None = field(default=None, repr=False)
    """Masks what must not be shown in texts; None for nothing."""
    loud: bool = True
    """Whether an assignment is logged as INFO and a retry as WARNING, and not only as DEBUG."""
    phase: Phase = field(default=Phase.CONFIGURATION, init=False)
    """The current phase, set by the code that starts it, with or without an observer: an attempt
    that is cancelled cannot report its phase itself."""

    @property
    def hears_wire(self) -> bool:
        """Whether the observer wants `SENT` and `RECEIVED`."""
        return self.observer is not None and bool(getattr(self.observer, "wire", True))

    def __call__(
        self,
        kind: StepKind,
        phase: Phase,
        *,
        took: float | None = None,
        wait: float | None = None,
        requested: float | None = None,
        text: Callable[[], str] | str = "",
        error: ProvisioningError | None = None,
    ) -> None:
        """Report a step, and log it; if `text` is a function, it is called only if needed."""
        level = _LEVELS[kind] if self.loud else logging.DEBUG
        logged = kind not in _WIRE and _log.isEnabledFor(level)
        if not logged and (self.observer is None or (kind in _WIRE and not self.hears_wire)):
            return

        words = text if isinstance(text, str) else text()
        step = Step(
            kind=kind,
            at=time.monotonic(),
            registration_id=self.registration_id,
            transport=self.transport,
            phase=phase,
            took=took,
            wait=wait,
            requested=requested,
            text=self.mask(words) if words and self.mask is not None else words,
            error=error,
        )
        if logged:
            _log.log(level, "%s", _line(step))

        if self.observer is None:
            return

        try:
            self.observer(step)
        except Exception:  # noqa: BLE001 (an observer may raise anything)
            _log.exception("an observer failed on %s", kind)


_LEVELS = {
    **dict.fromkeys(StepKind, logging.DEBUG),
    StepKind.ASSIGNED: logging.INFO,
    StepKind.RETRYING: logging.WARNING,
    StepKind.CACHE_FAILED: logging.WARNING,
}
"""Levels at which a loud reporter logs."""
_WIRE = {StepKind.SENT, StepKind.RECEIVED}


def _line(step: Step) -> str:
    """Return a step as one line, without wire data."""
    parts = [f"{step.registration_id}: {step.kind.value} in phase {step.phase.value}"]
    if step.took is not None:
        parts.append(f"{step.took * 1000:.0f} ms")

    if step.wait is not None:
        parts.append(f"for {step.wait:.1f} s")

    if step.text and step.kind not in _WIRE:
        parts.append(step.text)

    return ", ".join(parts)


def log_step(step: Step) -> None:
    """Log that something was sent or received, at DEBUG and without wire data.

    This is an `Observer`. All other steps are logged without one.
    """
    if step.kind in _WIRE and _log.isEnabledFor(logging.DEBUG):
        _log.debug("%s", _line(step))
