"""The names that fault matrix and bad inputs use, each tied to a class of ours."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import aiodps
from aiodps import errors

TABLE = Path(__file__).with_name("error_names.tsv")


def rows() -> list[dict[str, str]]:
    """Read the table."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["name"])
def test_each_name_has_a_class(row: dict[str, str]) -> None:
    """Each name is a class of ours, or it is said why there is none."""
    if row["ours"] == "-":
        assert row["with"]
        return

    kind = getattr(errors, row["ours"], None) or getattr(aiodps, row["ours"])
    assert issubclass(kind, errors.ProvisioningError | Warning)


def test_no_class_is_left_out() -> None:
    """Each error that can be raised stands in the table."""
    tree = {errors.ProvisioningError}
    todo = [errors.ProvisioningError]
    while todo:
        for kind in todo.pop().__subclasses__():
            tree.add(kind)
            todo.append(kind)

    named = {row["ours"] for row in rows()}
    never_raised = {"ProvisioningError", "_ReasonedError"}
    details = {"CertificateError", "PrivateKeyError"}
    ours = {kind.__name__ for kind in tree if kind.__module__ == errors.__name__}
    assert ours - never_raised - details <= named
