"""Trust anchors are listed, and found from what a server presents."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import certify, intermediate, other_root, root

from aiodps.checks.network.anchors import anchor_of, anchors_of, described
from aiodps.network import trust as trust_module
from aiodps.network.trust import AZURE_ROOTS, Trust


def test_azure() -> None:
    """The default has Azure's two roots, by their fingerprints."""
    now = datetime.now(UTC)
    shown = [described(each, now) for each in anchors_of(Trust.of(None))]

    assert {each["sha256"] for each in shown} == set(AZURE_ROOTS.values())
    assert all(each["valid"] for each in shown)


@pytest.mark.parametrize("folder", [True, False])
def test_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, folder: bool) -> None:
    """The operating system's are read from its file or folder, each once, the rest left out."""
    file = tmp_path / "a.pem"
    file.write_bytes(root().certificate_pem * 2)
    (tmp_path / "README").write_text("no certificate")
    paths = (None, str(tmp_path)) if folder else (str(file), None)
    monkeypatch.setattr("aiodps.checks.network.anchors.system_paths", lambda: paths)

    assert anchors_of(Trust("system", None)) == (root().certificate,)
    assert trust_module.system_paths is not None


def test_anchor_of() -> None:
    """By signature: a root of the same name with another key is not it."""
    chain = certify("server", names=["h"])
    presented = [chain.certificate, *chain.intermediates]

    assert anchor_of(presented, [other_root().certificate, root().certificate]) == (
        root().certificate
    )
    assert anchor_of(presented, [intermediate().certificate]) == intermediate().certificate
    assert anchor_of(presented[:1], [root().certificate]) is None
    assert anchor_of([root().certificate], [root().certificate]) == root().certificate


def test_described() -> None:
    """Fingerprint, names and dates, and whether it is valid now."""
    certificate = root().certificate
    facts = described(certificate, datetime(1999, 1, 1, tzinfo=UTC))

    assert facts["sha256"] == hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    assert facts["subject"] == facts["issuer"] == "CN=test root"
    assert facts["valid"] is False
