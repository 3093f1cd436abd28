"""Line charts as SVG, one below the other on the same time axis, in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 170, 62, 34, 34
_RIGHT: Final = 12
_COLOURS: Final = ("#3273c4", "#c2591b", "#2f8f5b", "#8a52b8")
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#333}line{stroke:#8884}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: a title with its unit, and lines by name, a value for each time."""

    title: str
    lines: Mapping[str, Sequence[float]]


def svg(times: Sequence[float], panels: Sequence[Panel], *, title: str) -> str:
    """Draw panels over the same times, in seconds."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, times, top=TOP + number * (HEIGHT + GAP))

    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, times: Sequence[float], *, top: float) -> Iterator[str]:
    most = _round(max((max(line, default=0) for line in panel.lines.values()), default=0))
    last = max(times, default=0) or 1
    yield f'<text x="{LEFT}" y="{top - 10}">{escape(panel.title)}</text>'
    for tick in range(_TICKS + 1):
        y = top + HEIGHT * (1 - tick / _TICKS)
        yield f'<line x1="{LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{most * tick / _TICKS:,g}</text>"
        )

    for tick in range(_TICKS + 1):
        x = LEFT + (WIDTH - LEFT - _RIGHT) * tick / _TICKS
        anchor = "end" if tick == _TICKS else "middle"
        yield (
            f'<text x="{x:.1f}" y="{top + HEIGHT + 15}" text-anchor="{anchor}">'
            f"{last * tick / _TICKS:,.0f} s</text>"
        )

    across = (WIDTH - LEFT - _RIGHT) / last
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{LEFT + across * at:.1f},{top + HEIGHT * (1 - value / most):.1f}"
            for at, value in zip(times, line, strict=True)
        )
        yield (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
            f'<text x="{WIDTH - _RIGHT - 90 * number}" y="{top - 10}" text-anchor="end"'
            f' style="fill:{colour}">{escape(name)}</text>'
        )


def _round(value: float) -> float:
    """Return the next round number."""
    if value <= 0:
        return 1.0

    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(each * unit for each in (1, 2, 4, 5, 8, 10) if each * unit >= value)
