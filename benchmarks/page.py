"""Write what was measured into `docs/performance.md`, and draw it.

    python -m benchmarks.page            # from benchmarks/results; a test holds both to each other

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is written here; all else by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.clients import CLIENTS
from benchmarks.costs_table import calls_table, costs_table, emulator_table
from benchmarks.picture import picture
from benchmarks.plans import PLANS, Plan
from benchmarks.quiet import MOST_LOAD
from benchmarks.table import Table, body, legend

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"
PICTURES: Final = ROOT / "docs" / "pictures"
COSTS: Final = ROOT / "benchmarks" / "costs.json"
OTHERS: Final = {
    "sampled": "about five minutes",
    "scale": "about ten minutes",
    "waiting": "about six minutes",
    "holds": "about two minutes",
    "emulator": "about 25 minutes",
}
"""Benchmarks that write results of their own, and how long they take."""


def result(name: str, results: Path) -> tuple[Mapping[str, Any], list[Table]] | None:
    """Read what was measured for a table; None if it has not been."""
    file = results / f"{name}.json"
    if not file.exists():
        return None

    read = json.loads(file.read_text("utf-8"))
    return read["environment"], [Table(**each) for each in read["tables"]]


def sections(results: Path = RESULTS) -> Iterator[tuple[str, str]]:
    """Write each part of the page, by its name."""
    yield "who", legend(list(CLIENTS))
    recorded = json.loads(COSTS.read_text("utf-8"))
    yield "costs", costs_table(recorded)
    yield "calls", calls_table(recorded["calls"])
    yield "emulator-calls", emulator_table(recorded.get("emulator", {}))
    for plan in PLANS.values():
        yield plan.name, "\n\n".join(_section(plan, results))

    for name in OTHERS:
        yield name, "\n\n".join(_other(name, results))


def _section(plan: Plan, results: Path) -> Iterator[str]:
    yield plan.question
    measured = result(plan.name, results)
    if measured is None:
        minutes = plan.minutes(rounds=20, seconds=5)
        command = f"python -m benchmarks.register --table {plan.name} --out benchmarks/results"
        yield f"Not measured yet: `{command}` takes about {minutes:.0f} minutes."
        return

    facts, tables = measured
    yield f"![{plan.title}](pictures/{_picture_name(plan)})"
    yield from body(plan, facts, tables)
    yield made(facts, max(each.load for each in tables))


def made(facts: Mapping[str, Any], load: float) -> str:
    """Say when, where and by what command something was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    warning = " **The machine was busy: these figures are no more than a trial.**"
    return (
        f"`{facts['command']}`, {facts['date'][:10]}, commit {facts['commit']}; "
        f"{facts['machine']}; Python {facts['python']}, {facts['openssl']}; {versions}."
        f"{warning if load > MOST_LOAD else ''}"
    )


def _other(name: str, results: Path) -> Iterator[str]:
    """Take over what another benchmark has written, with its pictures."""
    file = results / f"{name}.json"
    if not file.exists():
        command = f"python -m benchmarks.{name} --out benchmarks/results"
        yield f"Not measured yet: `{command}` takes {OTHERS[name]}."
        return

    document = json.loads(file.read_text("utf-8"))
    page_of = file.with_suffix(".md")
    yield page_of.read_text("utf-8").strip() if page_of.exists() else _runs(document["runs"])
    for drawn in sorted(results.glob(f"{name}-*.svg")):
        yield f"![{drawn.stem}](../benchmarks/results/{drawn.name})"

    for facts in _environments(document):
        yield made(facts, facts["load_before"])


def _environments(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield with what it was measured: once, or each that its runs name."""
    if "environment" in document:
        yield document["environment"]
        return

    each = [run["environment"] for run in document["runs"]]
    yield from (facts for index, facts in enumerate(each) if facts not in each[:index])


def _runs(runs: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name, value in runs[0].items() if isinstance(value, str | int | float)]
    lines = [f"| {' | '.join(names)} |".replace("_", " "), f"|{' --: |' * len(names)}"]
    rows = (f"| {' | '.join(_cell(run[name]) for name in names)} |" for run in runs)
    return "\n".join([*lines, *rows])


def _cell(value: Any) -> str:
    match value:
        case float() if abs(value) < 100:
            return f"{value:.3g}"
        case float() | int():
            return f"{value:,.0f}"
        case _:
            return str(value)


def page(text: str, results: Path = RESULTS) -> str:
    """Return the page with its parts as the results have them."""
    for name, written in sections(results):
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(marked.findall(text)) != 1:
            raise SystemExit(f"the page does not have one part {name!r}")

        text = marked.sub(lambda match, new=written: f"{match[1]}\n{new}\n\n{match[2]}", text)  # type: ignore[misc]  # new

    return text


def pictures(results: Path = RESULTS) -> Iterator[tuple[str, str]]:
    """Draw each table that was measured; give the name of its file, too."""
    for plan in PLANS.values():
        measured = result(plan.name, results)
        if measured is not None:
            yield _picture_name(plan), picture(plan, measured[1])


def _picture_name(plan: Plan) -> str:
    return f"performance-{plan.name}.svg"


def main() -> None:
    """Write the page and the pictures."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    for name, drawn in pictures():
        (PICTURES / name).write_text(drawn, "utf-8")


if __name__ == "__main__":
    main()
