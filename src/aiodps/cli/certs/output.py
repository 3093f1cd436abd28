"""Output of `aiodps certs`: created credentials, the use of their files, contents of files."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.text import Text

from aiodps.cli.output import out, print_json
from aiodps.pki import Authority, Credential
from aiodps.pki.describe import Description, Fact, describe


def show_credential(
    credential: Credential,
    uses: Mapping[Path, str],
    *,
    next_step: str,
    as_json: bool,
    issuer: Authority | None = None,
    days: int = 0,
) -> None:
    """Show a created credential, the use of each file, and the next step.

    Args:
        credential: The credential.
        uses: The use of each file that was written.
        next_step: What to do next.
        as_json: Whether to print JSON.
        issuer: The issuing CA; None for roots.
        days: The validity that was requested.
    """
    ends = credential.certificate.not_valid_after_utc
    facts = describe(credential.certificate_pem, now=dt.datetime.now(dt.UTC))[0].facts
    del facts["chain"]  # describes the rest of the file
    cut = issuer is not None and ends == issuer.certificate.not_valid_after_utc
    note = f"validity shortened from {days} days: it ends with the issuer's" if cut else None
    if as_json:
        files = [{"path": str(path), "use": use} for path, use in uses.items()]
        print_json({"files": files, "certificate": facts, "note": note, "next": next_step})
        return

    summary = f"  {facts['key_type']}, valid until {ends:%Y-%m-%d}"
    out.print(Text.assemble((credential.name, "bold green"), summary))
    if note:
        out.print(Text(f"  {note}", "yellow"))

    out.print(Text(f"  SHA-1 thumbprint   {facts['sha1_thumbprint']}", "dim"))
    out.print(Text(f"  SHA-256 thumbprint {facts['sha256_thumbprint']}", "dim"))
    for path, use in uses.items():
        out.print(Text.assemble("  ", (str(path), "cyan"), f"\n      {use}"))

    out.print(Text.assemble(("next:  ", "bold"), next_step))


def show_descriptions(descriptions: Iterable[Description]) -> None:
    """Show the contents of a file; objects of the same kind are numbered from 1."""
    seen: Counter[str] = Counter()
    for description in descriptions:
        seen[description.kind] += 1
        out.print(Text(f"{description.kind} {seen[description.kind]}", "bold"))
        for name, value in description.facts.items():
            label = name.replace("_", " ")
            out.print(Text.assemble((f"  {label:18}", "dim"), _format(value)))


def _format(value: Fact) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value) or "-"
        case _:
            return str(value)
