"""What `aiodps certs` says to people and to machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import certificates

from aiodps.cli.certs.output import show_credential, show_descriptions
from aiodps.pki import Authority
from aiodps.pki.describe import Description, Fact


def test_a_person_is_told_files_uses_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    """First what was made, then each file with its use, last what to do."""
    device = certificates.root().device("sensor-7")
    show_credential(device, {Path("a.pem"): "for this"}, next_step="do that", as_json=False)
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("sensor-7  EC P-256, valid until ")
    assert [line.strip() for line in lines[3:]] == ["a.pem", "for this", "next:  do that"]


def test_a_machine_is_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """One object with files, the certificate's facts, a note and the next step."""
    root = Authority.root("root", days=3)
    device = root.device("sensor-7", days=30)
    show_credential(
        device, {Path("a.pem"): "for this"},
        next_step="do that", as_json=True, issuer=root, days=30,
    )  # fmt: skip
    answer = json.loads(capsys.readouterr().out)

    assert answer["files"] == [{"path": "a.pem", "use": "for this"}]
    assert answer["certificate"]["subject"] == "CN=sensor-7"
    assert answer["note"].startswith("validity shortened from 30 days")
    assert answer["next"] == "do that"


def test_markup_in_names_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A name in brackets is shown as it is, not taken for a style."""
    show_credential(Authority.root("[red]x[/]"), {}, next_step="", as_json=False)

    assert capsys.readouterr().out.startswith("[red]x[/]  EC")


def test_facts_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Things are counted by kind; truth, nothing and lists are words."""
    facts: dict[str, Fact] = {"a": True, "b_c": None, "d": ["x", "y"], "e": [], "f": 7, "g": False}
    thing = Description(kind="certificate", facts=facts)
    show_descriptions([thing, Description(kind="private key", facts={}), thing])
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    words = ["a yes", "b c unknown", "d x, y", "e -", "f 7", "g no"]

    assert said == ["certificate 1", *words, "private key 1", "certificate 2", *words]
