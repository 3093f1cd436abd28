"""How a fleet's run looks while it runs: a live display, or plain lines where nobody looks."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as ProgressBar
from rich.text import Text

from aiodps.cli.output import err
from aiodps.fleet.measure.percentiles import percentile
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.run.launch import Stop

_RATE_OVER: Final = 5.0
"""Seconds that the shown rate is taken over."""
_LINE_EACH: Final = 5.0
"""Seconds between two plain lines."""
_MOST_ERRORS: Final = 4


class LiveDisplay:
    """Shows how a run stands; `with LiveDisplay(stop) as display: ... display(standing)`."""

    def __init__(self, stop: Stop, *, quiet: bool = False) -> None:
        self._stop = stop
        self._quiet = quiet
        self._began = time.monotonic()
        self._ends: deque[tuple[float, int]] = deque()
        self._last_line = 0.0
        self._said_end = False
        self._bar = ProgressBar(
            TextColumn("[bold]{task.description}"), BarColumn(None), MofNCompleteColumn()
        )
        self._task = self._bar.add_task("devices", total=None)
        self._text = Text()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if err.is_terminal and not self._quiet:
            self._live = Live(Group(self._bar, self._text), console=err, transient=True)
            self._live.start()

        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Say in words what is being done."""
        if not self._quiet:
            err.print(Text(text, "dim"))

    def __call__(self, progress: Progress) -> None:
        """Show how the run stands."""
        now = time.monotonic()
        ended = progress.assigned + progress.failed
        self._ends.append((now, ended))
        while len(self._ends) > 2 and now - self._ends[0][0] > _RATE_OVER:  # noqa: PLR2004 (a span has two ends)
            self._ends.popleft()

        if self._live is not None:
            self._bar.update(self._task, total=progress.total, completed=ended)
            self._text.plain = ""
            self._text.append_text(self._figures(progress))
            for name, count in _most_frequent(progress):
                self._text.append(f"\n  {count:>8}  {name}", "red")
        elif not self._quiet and self._is_time(now, ended=not progress.left):
            errors = "".join(f"  {name}: {count}" for name, count in _most_frequent(progress))
            units = "".join(self._figures(progress).plain.splitlines())
            err.print(Text(f"{ended}/{progress.total}{units}{errors}"))

    def _is_time(self, now: float, *, ended: bool) -> bool:
        """Whether a plain line is due: one each few seconds, and one at the end."""
        if self._said_end or (now - self._last_line < _LINE_EACH and not ended):
            return False

        self._last_line, self._said_end = now, ended
        return True

    def _figures(self, progress: Progress) -> Text:
        """Two lines, so that 80 columns are enough."""
        rate = self._rate()
        counts = [
            f"{rate:.1f}/s" if rate is not None else "-/s",
            f"{progress.in_flight} in flight",
            f"{progress.assigned} assigned",
            f"{progress.failed} failed",
        ]
        times = []
        if progress.recent:
            recent = sorted(progress.recent)
            p50, p99 = float(percentile(recent, 50)), float(percentile(recent, 99))
            times.append(f"p50 {p50:.2f} s  p99 {p99:.2f} s")

        if self._stop.order is not None:
            times.append("stopping; Ctrl-C again stops now")
        elif rate and progress.left:
            times.append(f"{_clock(progress.left / rate)} left")

        lines = ["  ".join(line) for line in (counts, times) if line]
        return Text("\n".join(f"  {line}" for line in lines))

    def _rate(self) -> float | None:
        (then, before), (now, ended) = self._ends[0], self._ends[-1]
        return (ended - before) / (now - then) if now > then else None


def _most_frequent(progress: Progress) -> list[tuple[str, int]]:
    return sorted(progress.errors.items(), key=lambda item: -item[1])[:_MOST_ERRORS]


def _clock(seconds: float) -> str:
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
