"""The results of the rounds: the spread of each figure, and what may be claimed from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from benchmarks.clients import CLIENTS
from benchmarks.plans import Plan

Run: TypeAlias = Mapping[str, Any]
"""What a client cost in a round; an `error` if it did not finish."""
Spread: TypeAlias = tuple[float, float, float]
"""Least, median and most over the rounds."""
Row: TypeAlias = Mapping[str, Any]

FIGURES: Final = {
    "cpu_ms": ("CPU ms/device", 2),
    "ratio": ("x base", 2),
    "wall_s": ("wall s", 1),
    "per_s": ("devices/s", 0),
    "busy": ("client busy %", 0),
    "server_busy": ("server busy %", 0),
    "connections": ("connections", 0),
    "kib_each": ("KiB/connection", 0),
    "threads": ("threads", 0),
    "descriptors": ("descriptors", 0),
}
"""The columns: title and decimals."""
COMPARED: Final = {"cpu_ms": ("costs less CPU than", "costs more CPU than")}
COMPARED_BY_WALL: Final = ("is faster than", "is slower than")
PAIRS: Final = (
    ("ours:rest", "baseline:rest"),
    ("ours:rest", "peers:stock_httpx"),
    ("ours:rest", "node:rest"),
    ("ours:rest", "curl:rest"),
    ("ours:rest", "openssl:handshake"),
    ("harness:rest", "ours:rest"),
    ("ours:mqtt", "baseline:mqtt"),
    ("ours:mqtt", "peers:stock_aiomqtt"),
    ("ours:mqtt", "node:mqtt"),
    ("ours:mqtt", "azure_sdk:mqtt"),
    ("ours:mqtt", "azure_sdk:mqtt_sync"),
    ("ours:mqtt_native", "baseline:mqtt"),
    ("ours:mqtt_native", "ours:mqtt"),
    ("ours:mqtt_native", "azure_sdk:mqtt"),
    ("harness:mqtt", "ours:mqtt"),
)
"""The pairs of which something may be claimed."""
BUSY: Final = 90.0
"""Per cent of a processor from which one counts as used up."""
QUIET: Final = 0.15
"""Processors that others may use before it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The results at one number of devices at once."""

    at_once: int
    load: float
    """One-minute load before the first round."""
    others: float
    """Processors that were used by what is neither client nor server, on average."""
    rows: Sequence[Row]


def spread(values: Sequence[float]) -> Spread:
    """Return least, median and most."""
    return min(values), statistics.median(values), max(values)


def base_of(row: str) -> str:
    """Name the baseline of the same protocol, on the same Python."""
    client, on, python = row.partition(" on ")
    return f"baseline:{'mqtt' if 'mqtt' in client else 'rest'}{on}{python}"


def summarise(
    rounds: Sequence[Mapping[str, Run]], clients: Sequence[str], *, figure: str = "cpu_ms"
) -> list[dict[str, Any]]:
    """Take the spread over the rounds; ratios within each round first.

    `against` has the ratio of the figure to each other client's, `ratio` that of CPU to the
    baseline's. A client that never finished has no figures.
    """
    return [_row(rounds, client, clients, figure) for client in clients]


def _row(
    rounds: Sequence[Mapping[str, Run]], client: str, clients: Sequence[str], figure: str
) -> dict[str, Any]:
    done = [one for one in rounds if "error" not in one[client]]
    row: dict[str, Any] = {"client": client, "finished": len(done), "rounds": len(rounds)}
    if len(done) < len(rounds):
        row["error"] = next(one[client]["error"] for one in rounds if "error" in one[client])

    for name in FIGURES:
        values = [one[client][name] for one in done if one[client].get(name) is not None]
        if values:
            row[name] = spread(values)

    against = {other: _ratio(done, client, other, figure) for other in clients}
    row["against"] = {other: ratio for other, ratio in against.items() if ratio}
    base = base_of(client)
    if base in clients and (ratio := _ratio(done, client, base, "cpu_ms")):
        row["ratio"] = ratio

    return row


def _ratio(
    rounds: Sequence[Mapping[str, Run]], client: str, other: str, figure: str
) -> Spread | None:
    pairs = [(one[client], one[other]) for one in rounds if "error" not in one[other]]
    return spread([run[figure] / its[figure] for run, its in pairs]) if pairs else None


def limit_of(row: Row, *, quiet: bool) -> str:
    """Say what keeps a client from being faster; it may be others, unless the machine is quiet."""
    if "busy" not in row:
        return "did not finish"

    if not quiet:
        return "unknown"

    busy, server_busy = row["busy"][1], row["server_busy"][1]
    if max(busy, server_busy) < BUSY:
        return "waiting"

    return "its own processor" if busy >= server_busy else "the server's processor"


def table(rows: Sequence[Row], *, quiet: bool = True) -> str:
    """Format as Markdown: the median, and in brackets least and most."""
    titles = " | ".join(title for title, _ in FIGURES.values())
    lines = [f"| client | {titles} | limited by |", f"| --- |{' --: |' * len(FIGURES)} --- |"]
    for row in rows:
        cells = [
            written(row[name], decimals) if name in row else "-"
            for name, (_, decimals) in FIGURES.items()
        ]
        note = f" ({row['error'].replace('|', '/')})" if "error" in row else ""
        lines.append(
            f"| {row['client']}{note} | {' | '.join(cells)} | {limit_of(row, quiet=quiet)} |"
        )

    return "\n".join(lines)


def written(values: Spread, decimals: int) -> str:
    """Format a spread: the median, then least and most unless all are the same."""
    least, median, most = (f"{value:.{decimals}f}" for value in values)
    return median if least == most else f"{median} ({least} to {most})"


def claims(rows: Sequence[Row], *, figure: str = "cpu_ms") -> Iterator[str]:
    """Say how each pair differs: nothing if the rounds disagree, or if there is only one."""
    less, more = COMPARED.get(figure, COMPARED_BY_WALL)
    for row, other in _pairs(rows):
        ratio = row["against"].get(other)
        if ratio is None or row["rounds"] < 2:
            continue

        least, _, most = ratio
        verdict = more if least > 1 else less if most < 1 else None
        one = row["client"]
        words = (
            f"{one} {verdict} {other}"
            if verdict
            else f"no difference shown between {one} and {other}"
        )
        yield f"{words}: x {written(ratio, 2)}"


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    """Pair the rows on the same Python, and each with that of the first Python."""
    names: dict[str, Row] = {row["client"]: row for row in rows}
    pythons = list(dict.fromkeys(name.partition(" ")[2] for name in names))
    for python in pythons:
        for one, other in PAIRS:
            row = names.get(f"{one} {python}".strip())
            if row is not None:
                yield row, f"{other} {python}".strip()

    for name, row in names.items():
        client, _, python = name.partition(" ")
        if python != pythons[0]:
            yield row, f"{client} {pythons[0]}"


def body(plan: Plan, facts: Mapping[str, Any], tables: Sequence[Table]) -> Iterator[str]:
    """Write the tables of a plan: what holds for them, and what may be claimed."""
    count, seconds = facts["rounds"], facts["seconds"]
    last = "" if plan.devices else f" of at least {seconds:g} s"
    yield f"Median (minimum to maximum) of {count} rounds{last}; {plan.conditions}."
    for each in tables:
        yield f"**{each.at_once} at a time.** {loads(each)}"
        yield table(each.rows, quiet=each.others <= QUIET)
        if said := [f"- {line}" for line in claims(each.rows, figure=plan.compared)]:
            yield "\n".join(said)

    if facts["left_out"]:
        yield f"Left out, because not installed here: {', '.join(facts['left_out'])}."


def loads(each: Table) -> str:
    """Say how busy the machine was otherwise."""
    others = max(each.others, 0.0)
    words = f"Load before: {each.load:.1f}; other processes used {others:.2f} cores meanwhile."
    return words if each.others <= QUIET else f"{words} **The machine was not quiet.**"


def legend(names: Sequence[str]) -> str:
    """Describe the clients."""
    clients = dict.fromkeys(name.partition(" ")[0] for name in names)
    lines = [f"| `{name}` | {CLIENTS[name].what} |" for name in CLIENTS if name in clients]
    return "\n".join(("| client | what it is |", "| --- | --- |", *lines))


def page(plan: Plan, facts: Mapping[str, Any], tables: Sequence[Table]) -> str:
    """Return tables, what may be claimed, and facts as a Markdown page."""
    names = [row["client"] for each in tables for row in each.rows]
    parts = (
        f"# {plan.title}, {facts['date'][:10]}",
        plan.question,
        *body(plan, facts, tables),
        "## Clients",
        legend(names),
        "## Environment",
        "\n".join(f"- {key}: {value}" for key, value in facts.items()),
    )
    return "\n\n".join(parts) + "\n"
