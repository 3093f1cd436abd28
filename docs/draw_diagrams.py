"""Draw the diagrams of the pages for the site: `python docs/draw_diagrams.py`, with Graphviz.

The pages have them as Mermaid, which GitHub draws. The site shows pictures that are in the
checkout, `docs/pictures/PAGE.svg`, so that neither building nor reading it takes a script of
others. Each picture has the checksum of its source; a test compares them.
"""

from __future__ import annotations

import hashlib
import html
import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent
MERMAID: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ARROW: Final = re.compile(r"\s+(-->|<-\. .+? \.->)\s+")
LINE: Final = r"\n"
TITLE: Final = re.compile(r'(class="node">\n<path[^>]*>\n<text )(?=[^\n]*\n<text )')
"""Of a node with two lines, the first."""
NODE: Final = re.compile(r'(\[\*\]|\w+)(?:\["(.+?)"\])?')
LOOK: Final = """\
digraph {
bgcolor=transparent; ranksep=0.4; nodesep=0.3;
node [shape=box, style=rounded, fontname="sans-serif", fontsize=12, margin="0.12,0.06"];
edge [fontname="sans-serif", fontsize=10, arrowsize=0.7];
"""


def diagrams() -> Iterator[tuple[Path, str]]:
    """Return each page that has a diagram, with its source."""
    for page in sorted(DOCS.rglob("*.md")):
        for source in MERMAID.findall(page.read_text("utf-8")):
            yield page, source


def picture(page: Path) -> Path:
    """Return the file with the picture of a page."""
    return DOCS / "pictures" / f"{page.stem}.svg"


def mark(source: str) -> str:
    """Return the comment that says which source a picture is of."""
    return f"<!-- {hashlib.sha256(source.encode()).hexdigest()} -->\n"


def dot(source: str) -> str:
    """Translate a flowchart or a state diagram, of the few forms that our pages use."""
    nodes: dict[str, str] = {}
    edges: list[str] = []
    for line in filter(None, map(str.strip, source.splitlines()[1:])):
        path, _, label = line.partition(" : ")
        names, arrows = [], []
        for number, part in enumerate(ARROW.split(path)):
            if number % 2:
                arrows.append(part)
            else:
                names.append([*_nodes(part, nodes, last=number > 0)])

        for (before, after), arrow in zip(itertools.pairwise(names), arrows, strict=True):
            edges += (
                f"{one} -> {other} [{_style(arrow, label)}];" for one in before for other in after
            )

    across = (
        ["rankdir=LR; node [fontsize=17]; edge [fontsize=15];"]
        if source.startswith("stateDiagram")
        else []
    )
    declared = (f"{name} [{look}];" for name, look in nodes.items())
    return "\n".join([LOOK, *across, *declared, *edges, "}"])


def _nodes(part: str, nodes: dict[str, str], *, last: bool) -> Iterator[str]:
    """Return the names of nodes that are joined by `&`, and note how each looks."""
    for given in part.split(" & "):
        found = NODE.fullmatch(given)
        if found is None:
            raise SystemExit(f"cannot draw {given!r}")

        name, label = found[1], found[2]
        if name == "[*]":
            name = "end" if last else "start"
            nodes[name] = f'label="", shape={"doublecircle" if last else "circle"}, width=0.15'
        elif label is not None:
            nodes[name] = f'label="{label.replace("<br/>", LINE)}"'

        yield name


def _style(arrow: str, label: str) -> str:
    if arrow == "-->":
        return f'label="  {label}  "' if label else ""

    return f'label="  {arrow[4:-4]}  ", dir=both, style=dashed, constraint=false'


def svg(source: str, title: str) -> str:
    """Draw a diagram, in the colour of the text around it."""
    command = ["dot", "-Tsvg"]
    drawn = subprocess.run(command, input=dot(source), capture_output=True, text=True, check=True)
    shown = drawn.stdout[drawn.stdout.index("<svg") :]
    shown = re.sub(r"<!--.*?-->\n|<title>.*?</title>\n", "", shown, flags=re.DOTALL)
    shown = TITLE.sub(r'\1font-weight="bold" ', shown)
    shown = shown.replace('"black"', '"currentColor"').replace(
        "<text ", '<text fill="currentColor" '
    )
    return shown.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)


def main() -> None:
    """Draw all of them."""
    for page, source in diagrams():
        title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        picture(page).write_text(mark(source) + svg(source, title), encoding="utf-8")


if __name__ == "__main__":
    main()
