"""The vocabulary is the service's, and an assignment can be shown to anybody."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.certificates import certify, intermediate, root

from aiodps import X509
from aiodps.models import (
    Assignment,
    IssuedCredential,
    Phase,
    RegistrationStatus,
    Substatus,
)


def test_words_of_the_wire() -> None:
    """Status words are lower case, substatus words are camel case (REST reference)."""
    assert [str(status) for status in RegistrationStatus] == [
        "unassigned",
        "assigning",
        "assigned",
        "failed",
        "disabled",
    ]
    assert Substatus("deviceDataMigrated") is Substatus.DEVICE_DATA_MIGRATED
    assert Phase("dns") is Phase.DNS


def test_the_payload_is_not_shown() -> None:
    """What a webhook sends to a device may be secret: it is not in the repr."""
    assignment = Assignment(
        registration_id="dev-1",
        device_id="dev-1",
        assigned_hub="contoso.azure-devices.net",
        status=RegistrationStatus.ASSIGNED,
        payload={"wifi": "canary"},
        raw={"payload": "canary"},
        issued_certificate_chain=("canary",),
        transport="rest",
    )

    assert "canary" not in repr(assignment)
    assert "contoso" in repr(assignment)


def issued(name: str = "dev-1") -> IssuedCredential:
    """Make what the service issues."""
    made = certify(name)
    assert isinstance(made.private_key, ec.EllipticCurvePrivateKey)
    chain = (made.certificate, intermediate().certificate, root().certificate)
    return IssuedCredential(made.private_key, chain)


ASSIGNED = Assignment(
    registration_id="dev-1",
    device_id="dev-1",
    assigned_hub="contoso.azure-devices.net",
    status=RegistrationStatus.ASSIGNED,
    transport="rest",
)


def test_what_was_issued_is_not_a_field() -> None:
    """It is in no repr, copy, pickle or dictionary, so that the key goes nowhere by accident."""
    credential = issued()
    assignment = ASSIGNED.with_issued(credential)

    assert assignment.issued is credential
    assert ASSIGNED.issued is None
    assert assignment == ASSIGNED
    assert repr(assignment) == repr(ASSIGNED)
    assert "issued" not in dataclasses.asdict(assignment)
    assert pickle.loads(pickle.dumps(assignment)).issued is None
    assert copy.copy(assignment).issued is None
    assert repr(credential) == "IssuedCredential()"


def test_one_file_has_chain_and_key(tmp_path: Path) -> None:
    """Only its owner may read it, and it is a credential by itself."""
    credential = issued()
    path = credential.save(tmp_path / "keys")

    assert path == tmp_path / "keys" / "dev-1.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert X509.from_files(path).chain == credential.chain[:2]
    assert X509.from_files(path, path).registration_id == "dev-1"
    assert credential.expires == credential.chain[0].not_valid_after_utc


def test_a_chain_alone_is_saved(tmp_path: Path) -> None:
    """The caller has the key."""
    path = IssuedCredential(None, issued().chain).save(tmp_path)

    assert path.read_bytes().count(b"BEGIN CERTIFICATE") == 3
    assert b"KEY" not in path.read_bytes()


def test_an_old_credential_stays_until_the_new_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails changes nothing, and leaves no key behind; the next one replaces."""
    path = issued().save(tmp_path)
    old = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            issued().save(tmp_path)

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    assert issued().save(tmp_path).read_bytes() != old


@pytest.mark.parametrize("name", ["../dev-1", "a/b"])
def test_a_name_does_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    """What the service issued has the registration id as CN; anything else is not saved."""
    with pytest.raises(ValueError, match="not a registration id"):
        issued(name).save(tmp_path)

    assert list(tmp_path.iterdir()) == []
