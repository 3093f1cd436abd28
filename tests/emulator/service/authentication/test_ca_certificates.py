"""The CA certificates of an instance: upload, proof of possession, etags."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.certificates import certify, other_root, root
from tests.emulator.dict_store import DictStore
from tests.emulator.instance import NOW

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.authentication.ca_certificates import CaCertificates


@pytest.fixture
def certificates() -> CaCertificates:
    """Return an instance's certificates: one, called `Root`, not verified."""
    rng = random.Random(1)  # noqa: S311 (no secrets here)
    empty = CaCertificates(rng=rng)
    empty.upload("Root", root().certificate_pem, now=100.0)
    return empty


def code_of(certificates: CaCertificates) -> str:
    """Ask for a verification code."""
    code = certificates.generate_verification_code("Root", now=101.0).verification_code
    assert code
    return code


def test_an_upload_is_not_verified(certificates: CaCertificates) -> None:
    """Anybody can have anybody's certificate."""
    found = certificates.get("root")

    assert found.name == "Root"
    assert found.certificate == root().certificate
    assert not found.verified
    assert found.verification_code is None
    assert (found.created, found.updated) == (100.0, 100.0)


def test_an_upload_may_be_taken_on_trust(certificates: CaCertificates) -> None:
    """Azure's portal calls it "set certificate status to verified on upload"."""
    certificates.upload("other", other_root().certificate, verified=True, now=101.0)

    assert [(each.name, each.verified) for each in certificates] == [
        ("Root", False),
        ("other", True),
    ]


def test_proof_of_possession(certificates: CaCertificates) -> None:
    """A certificate made out to the code and signed with the CA's key verifies the CA."""
    proof = root().verification(code_of(certificates))
    verified = certificates.verify("root", proof.certificate_pem, now=102.0)

    assert verified.verified
    assert certificates.get("Root") == verified
    assert verified.verification_code is None
    assert (verified.created, verified.updated) == (100.0, 102.0)


@pytest.mark.parametrize(
    "prove",
    [
        lambda _: root().verification("another code").certificate_pem,
        lambda code: other_root().verification(code).certificate_pem,
        lambda code: certify(code, self_signed=True).certificate_pem,
        lambda _: root().certificate_pem,
        lambda _: b"nothing",
    ],
    ids=["another code", "another root", "self-signed", "the CA itself", "no certificate"],
)
def test_what_proves_nothing(certificates: CaCertificates, prove: Callable[[str], bytes]) -> None:
    """Name and signature must both be right, and nothing changes if they are not."""
    proof = prove(code_of(certificates))
    before = certificates.get("Root")
    with pytest.raises(Refusal) as refused:
        certificates.verify("Root", proof, now=102.0)

    assert refused.value.status_code == 400
    assert certificates.get("Root") == before


def test_a_proof_by_another_ca_is_told_as_the_service_does(certificates: CaCertificates) -> None:
    """The code and text that a user quoted (azure-iot-sdk-c 1347)."""
    proof = other_root().verification(code_of(certificates)).certificate
    with pytest.raises(
        Refusal, match=r"^Proof-Of-Possession failed\. Issuer certificate 'CN="
    ) as no:
        certificates.verify("Root", proof, now=102.0)

    assert no.value.code == 400053


def test_a_code_is_worth_something_once(certificates: CaCertificates) -> None:
    """A new code ends the one before; a proof ends its own."""
    old, new = code_of(certificates), code_of(certificates)
    with pytest.raises(Refusal, match="not the verification code"):
        certificates.verify("Root", root().verification(old).certificate, now=102.0)

    proof = root().verification(new).certificate
    certificates.verify("Root", proof, now=102.0)
    with pytest.raises(Refusal, match="No verification code"):
        certificates.verify("Root", proof, now=103.0)

    assert certificates.get("Root").verified


def test_a_new_code_does_not_undo_a_proof(certificates: CaCertificates) -> None:
    """What is verified stays verified."""
    certificates.verify("Root", root().verification(code_of(certificates)).certificate, now=102.0)
    code_of(certificates)

    assert certificates.get("Root").verified


def test_another_certificate_must_be_proven_anew(certificates: CaCertificates) -> None:
    """A replaced certificate keeps name and age, and neither code nor proof."""
    certificates.verify("Root", root().verification(code_of(certificates)).certificate, now=102.0)
    code_of(certificates)
    replaced = certificates.upload("ROOT", other_root().certificate, now=103.0)

    assert [each.name for each in certificates] == ["Root"]
    assert not replaced.verified
    assert replaced.verification_code is None
    assert (replaced.created, replaced.updated) == (100.0, 103.0)


def test_every_step_changes_the_etag(certificates: CaCertificates) -> None:
    """Whoever writes must have read."""
    etags = [certificates.get("Root").etag]
    etags.append(certificates.generate_verification_code("Root", now=101.0).etag)
    code = certificates.get("Root").verification_code or ""
    etags.append(certificates.verify("Root", root().verification(code).certificate, now=1).etag)
    etags.append(certificates.upload("Root", root().certificate, now=103.0).etag)

    assert len(set(etags)) == 4


@pytest.mark.parametrize("form", ["{}", '"{}"', " {} ", "*"])
def test_etags_match(certificates: CaCertificates, form: str) -> None:
    """With quotes or without; a star matches anything."""
    etag = form.format(certificates.get("Root").etag)

    assert certificates.get("Root", if_match=etag).name == "Root"


CALLS: list[Callable[[CaCertificates, str, str], object]] = [
    lambda certificates, name, etag: certificates.get(name, if_match=etag),
    lambda certificates, name, etag: certificates.delete(name, if_match=etag),
    lambda certificates, name, etag: certificates.generate_verification_code(
        name, if_match=etag, now=0
    ),
    lambda certificates, name, etag: certificates.verify(name, b"", if_match=etag, now=0),
]
NAMES = ["get", "delete", "generate", "verify"]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_stale_etag_is_refused(
    certificates: CaCertificates, call: Callable[[CaCertificates, str, str], object]
) -> None:
    """412, and nothing changes."""
    before = certificates.get("Root")
    with pytest.raises(Refusal) as refused:
        call(certificates, "Root", "stale")

    assert refused.value.status_code == 412
    assert certificates.get("Root") == before


def test_a_stale_etag_replaces_nothing(certificates: CaCertificates) -> None:
    """An upload over an older certificate is held to its etag as well."""
    with pytest.raises(Refusal, match="Precondition failed"):
        certificates.upload("Root", other_root().certificate, if_match="stale", now=101.0)

    assert certificates.get("Root").certificate == root().certificate


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_what_is_not_there(
    certificates: CaCertificates, call: Callable[[CaCertificates, str, str], object]
) -> None:
    """404, whatever the etag."""
    with pytest.raises(Refusal, match="not found"):
        call(certificates, "nobody", "*")


def test_deleted_is_gone(certificates: CaCertificates) -> None:
    """And can be uploaded again under a new age."""
    certificates.delete("root")
    again = certificates.upload("Root", root().certificate, if_match="any", now=200.0)

    assert again.created == 200.0


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65])
def test_names_that_cannot_be(certificates: CaCertificates, name: str) -> None:
    """They would not fit into a path."""
    with pytest.raises(Refusal, match="is not a certificate name"):
        certificates.upload(name, root().certificate, now=101.0)


def test_certificates_are_found_by_themselves(certificates: CaCertificates) -> None:
    """Under every name they have."""
    certificates.upload("again", root().certificate, now=101.0)

    assert [each.name for each in certificates.of(root().certificate)] == ["Root", "again"]
    assert certificates.of(other_root().certificate) == ()


def test_what_is_no_certificate(certificates: CaCertificates) -> None:
    """Is refused like a device's bad request."""
    with pytest.raises(Refusal, match="cannot be read") as refused:
        certificates.upload("x", "nonsense", now=101.0)

    assert refused.value.code == 400004


def test_a_store_gives_back_what_it_was_given() -> None:
    """In the order of the upload, with codes that were given out."""
    store = DictStore()
    rng = random.Random(1)  # noqa: S311 (no secrets here)
    before = CaCertificates(rng=rng, store=store)
    for name in ("Z", "a", "gone"):
        before.upload(name, root().certificate, now=NOW)

    before.generate_verification_code("z", now=NOW + 1)
    before.delete("GONE")
    after = CaCertificates(rng=rng, store=store)

    assert list(after) == list(before)
    assert [each.name for each in after] == ["Z", "a"]
    code = after.get("z").verification_code
    assert code is not None
    assert after.verify("z", root().verification(code).certificate, now=NOW + 2).verified
