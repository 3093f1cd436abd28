"""How a run looks while it runs."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from aiodps.cli.fleet import live
from aiodps.cli.fleet.live import LiveDisplay
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.run.launch import Stop

PROGRESS = Progress(
    total=100,
    assigned=39,
    failed=1,
    in_flight=7,
    errors={"ThrottledError 429001": 1},
    recent=(1.0, 2.0, 3.0),
)


def shown(monkeypatch: pytest.MonkeyPatch, *read_progress: Progress, terminal: bool) -> str:
    """Show progress and return everything that was printed."""
    paper = io.StringIO()
    console = Console(
        file=paper, force_terminal=terminal, width=80, highlight=False, soft_wrap=True
    )
    monkeypatch.setattr(live, "err", console)
    stop = Stop()
    with LiveDisplay(stop) as display:
        display.show_phase("checking")
        for progress in read_progress:
            display(progress)

        stop.request(2)
        display(read_progress[-1])
        if display._live is not None:
            display._live.refresh()

    return paper.getvalue()


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar, the figures, errors by class, and what Ctrl-C does now, within 80 columns."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(monkeypatch, PROGRESS, terminal=True))

    for part in (
        *("40/100", "7 in flight", "39 assigned", "1 failed", "p50 2.00 s  p99 3.00 s"),
        *("1  ThrottledError 429001", "Ctrl-C again stops now"),
    ):
        assert part in text


def test_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bar and no escape codes; one line now, the next after a while, and one at the end."""
    end = Progress(total=100, assigned=99, failed=1)
    lines = shown(monkeypatch, PROGRESS, PROGRESS, end, terminal=False).splitlines()

    assert len(lines) == 3
    assert lines[0] == "checking"
    assert lines[1].startswith("40/100")
    assert "ThrottledError 429001: 1" in lines[1]
    assert lines[2].startswith("100/100")
    assert "\x1b" not in "".join(lines)


def test_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the rate of the last seconds."""
    now = iter([0.0, 10.0, 14.0, 14.1])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    monkeypatch.setattr(live, "err", Console(file=io.StringIO()))
    with LiveDisplay(Stop(), quiet=True) as display:
        display(Progress(total=1000, assigned=100))
        display(Progress(total=1000, assigned=140))

        assert display._rate() == 10.0
        assert "1:26 left" in display._figures(Progress(total=1000, assigned=140)).plain
