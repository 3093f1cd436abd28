"""`LiveDisplay`: the progress of a run, as a live display or, without a terminal, as lines."""

from __future__ import annotations

import time
from collections import Counter, deque
from datetime import timedelta
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
from aiodps.printable import printable

_RATE_WINDOW: Final = 5.0
"""Seconds over which the displayed rate is averaged."""
_LINE_INTERVAL: Final = 5.0
"""Seconds between two lines without a terminal."""
_MAX_ERRORS_SHOWN: Final = 4


class LiveDisplay:
    """Displays progress; `with LiveDisplay(stop) as display: ... display(progress)`."""

    def __init__(self, stop: Stop, *, quiet: bool = False) -> None:
        self._stop = stop
        self._quiet = quiet
        self._started = time.monotonic()
        self._ends: deque[tuple[float, int]] = deque()
        self._last_line = 0.0
        self._printed_end = False
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

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show_phase(self, text: str) -> None:
        """Print what is being done before devices start."""
        if not self._quiet:
            err.print(Text(text, "dim"))

    def __call__(self, progress: Progress) -> None:
        """Display the progress of the run."""
        now = time.monotonic()
        ended = progress.assigned + progress.failed
        self._ends.append((now, ended))
        while len(self._ends) > 2 and now - self._ends[0][0] > _RATE_WINDOW:  # noqa: PLR2004 (a span has two ends)
            self._ends.popleft()

        if self._live is not None:
            self._bar.update(self._task, total=progress.total, completed=ended)
            self._text.plain = ""
            self._text.append_text(self._figures(progress))
            for name, count in _top_errors(progress):
                self._text.append(f"\n  {count:>8}  {name}", "red")
        elif not self._quiet and self._line_due(now, ended=not progress.left):
            errors = "".join(f"  {name}: {count}" for name, count in _top_errors(progress))
            figures = "".join(self._figures(progress).plain.splitlines())
            err.print(Text(f"{ended}/{progress.total}{figures}{errors}"))

    def _line_due(self, now: float, *, ended: bool) -> bool:
        """Whether a line is due: one every few seconds, and one at the end."""
        if self._printed_end or (now - self._last_line < _LINE_INTERVAL and not ended):
            return False

        self._last_line, self._printed_end = now, ended
        return True

    def _figures(self, progress: Progress) -> Text:
        """Return two lines of figures, which fit into 80 columns."""
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
            times.append(f"{timedelta(seconds=round(progress.left / rate))} left")

        lines = ["  ".join(line) for line in (counts, times) if line]
        return Text("\n".join(f"  {line}" for line in lines))

    def _rate(self) -> float | None:
        (then, before), (now, ended) = self._ends[0], self._ends[-1]
        return (ended - before) / (now - then) if now > then else None


def _top_errors(progress: Progress) -> list[tuple[str, int]]:
    counts = Counter(progress.errors).most_common(_MAX_ERRORS_SHOWN)
    return [(printable(name), count) for name, count in counts]
