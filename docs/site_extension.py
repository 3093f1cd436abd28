"""What the site has of its own: pages that no list names yet, and `llms.txt`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from draw_diagrams import picture
from sphinx.application import Sphinx

ABOUT: Final = """\
# aiodps

> Provision devices with Azure IoT Hub Device Provisioning Service (DPS) from asyncio: over REST or
> MQTT, with X.509 certificates, symmetric keys or a TPM; with an offline emulator of DPS, pytest
> fixtures, and a harness for fleets.

Each link is the source of a page, in Markdown; those of the reference are in HTML.
"""
SPOILT: Final[dict[str, list[str]]] = {}
LIST: Final = "\n\n```{{toctree}}\n:hidden:\n{option}\n\n{pages}\n```\n"


def list_pages(app: Sphinx, document: str, source: list[str]) -> None:
    """Give a folder's README the folder's pages, and the index those that it does not list."""
    if document == app.config.root_doc:
        pages = unlisted(Path(app.srcdir, "docs"), source[0])
        source[0] += LIST.format(option=":caption: More", pages="\n".join(pages))
    elif re.fullmatch(r"docs/.+/README", document):
        names = {path.stem for path in Path(app.srcdir, document).parent.glob("*.md")}
        pages = sorted(names - {"README"})
        source[0] += LIST.format(option=":titlesonly:", pages="\n".join(pages))


def unlisted(docs: Path, index: str) -> list[str]:
    """Return the pages of `docs` itself, and the folders' READMEs, that an index does not list."""
    pages = [*docs.glob("*.md"), *docs.glob("*/README.md")]
    names = {page.relative_to(docs).with_suffix("").as_posix() for page in pages}
    return sorted(names - set(index.split()) - {"index"})


def mark_examples(
    _app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Make code of an indented paragraph; keep the docstrings that napoleon spoils."""
    for number in range(len(lines) - 1, 1, -1):
        above, before, line = lines[number - 2 : number + 1]
        if line.startswith("    ") and not before and above and not above.startswith(" "):
            lines[number:number] = ["::", ""]

    if what in {"attribute", "data", "property"}:
        SPOILT[name] = lines.copy()


def restore(
    _app: Sphinx, _what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Undo how napoleon reads an attribute: it takes what precedes a colon for a type."""
    lines[:] = SPOILT.pop(name, lines)


def read_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write the default of a dataclass's field so that Sphinx can parse it."""
    return signature and signature.replace("<factory>", "..."), returns


def introduction(page: nodes.document) -> str:
    """Return the first sentence of a page."""
    paragraph = next(iter(page.findall(nodes.paragraph)), nodes.paragraph())
    text = paragraph.astext().replace("\n", " ").removeprefix("Question. ")
    return text.partition(". ")[0].rstrip(".:") + "."


def address(document: str) -> str:
    """Return where a page is in Markdown; the reference is made of docstrings, and so in HTML."""
    in_html = document.startswith("docs/api/")
    return f"{document}.html" if in_html else f"_sources/{document}.md.txt"


def write_llms_txt(app: Sphinx, failure: Exception | None) -> None:
    """Write the list of pages that language models read, as https://llmstxt.org describes it."""
    if failure is not None or app.builder.name != "html":
        return

    links = [
        f"- [{app.env.titles[document].astext()}]({address(document)}): "
        + introduction(app.env.get_doctree(document))
        for document in sorted(app.env.titles)
        if document != app.config.root_doc
    ]
    text = f"{ABOUT}\n## Pages\n\n" + "\n".join(links) + "\n"
    Path(app.outdir, "llms.txt").write_text(text, encoding="utf-8")


def show_diagrams(app: Sphinx, page: nodes.document) -> None:
    """Put the picture of a diagram in the place of its source; see `draw_diagrams`."""
    for block in list(page.findall(nodes.literal_block)):
        if block.get("language") == "mermaid":
            file = picture(Path(app.env.doc2path(app.env.docname)))
            app.env.note_dependency(str(file))
            shown = f'<div class="diagram">{file.read_text("utf-8")}</div>'
            block.replace_self(nodes.raw("", shown, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the above."""
    app.connect("source-read", list_pages)
    app.connect("autodoc-process-docstring", mark_examples, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-process-signature", read_signature)
    app.connect("doctree-read", show_diagrams)
    app.connect("build-finished", write_llms_txt)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
