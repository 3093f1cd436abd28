"""The section of CA certificates: the way of the published article."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from tests.certificates import other_root, root, self_signed
from tests.emulator.admin.page.visitor import Visitor
from tests.emulator.instance import instance

from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup

pytestmark = pytest.mark.anyio
PEM = other_root().certificate_pem


async def test_proof_of_possession() -> None:
    """Upload, code, proof; each step is saved."""
    visitor = Visitor()
    page = await visitor.post(
        "/certificates", {"name": "my-root"}, {"certificate": root().certificate_pem}
    )
    assert "my-root not verified" in page

    page = await visitor.post("/certificates/my-root/code")
    code = visitor.service.certificates.get("my-root").verification_code
    assert code is not None
    assert code in page

    proof = root().verification(code).certificate_pem
    page = await visitor.post("/certificates/my-root/verify", {}, {"proof": proof})
    assert "my-root is verified." in page
    assert visitor.saved == 3


async def test_verified_on_upload() -> None:
    """The owner's word is taken if the box is ticked."""
    visitor = Visitor()
    fields = {"name": "my-root", "verified": "yes"}
    await visitor.post("/certificates", fields, {"certificate": root().certificate_pem})

    assert visitor.service.certificates.get("my-root").verified


@pytest.mark.parametrize(
    ("path", "fields", "files"),
    [
        ("/certificates", {"name": "a b"}, {"certificate": root().certificate_pem}),
        ("/certificates", {"name": "a"}, {"certificate": b""}),
        ("/certificates/ca-0/verify", {}, {"proof": self_signed("x").certificate_pem}),
        ("/certificates/none/code", {}, None),
        ("/certificates/none/delete", {}, None),
    ],
)
async def test_what_the_service_refuses_is_said(
    path: str, fields: dict[str, str], files: dict[str, bytes] | None
) -> None:
    """On the list of certificates; nothing is saved."""
    visitor = Visitor(instance(unverified=[root()]))
    page = await visitor.refused(path, fields, files)

    assert "ca-0 not verified" in page
    assert visitor.saved == 0


async def test_delete() -> None:
    """It is gone."""
    visitor = Visitor(instance(verified=[root()]))

    assert "None yet." in await visitor.post("/certificates/ca-0/delete")


async def test_a_name_is_not_taken_twice() -> None:
    """An upload does not replace; that is said, and asked for by itself."""
    visitor = Visitor(instance(verified=[root()]))
    page = await visitor.refused("/certificates", {"name": "CA-0"}, {"certificate": PEM})

    assert "CA-0 exists already: replace it below." in page


async def test_replace() -> None:
    """The new one must be verified again; a page of before replaces nothing."""
    visitor = Visitor(instance(verified=[root()]))
    fields, files = {"etag": visitor.service.certificates.get("ca-0").etag}, {"replacement": PEM}
    page = await visitor.post("/certificates/ca-0/replace", fields, files)

    assert "ca-0 was replaced, and must be verified again." in page
    replaced = visitor.service.certificates.get("ca-0")
    assert (replaced.certificate, replaced.verified) == (other_root().certificate, False)
    assert "It was changed after this page was loaded" in await visitor.refused(
        "/certificates/ca-0/replace", fields, files
    )


async def test_who_needs_it() -> None:
    """Groups that hold it or name it, which are refused without it."""
    groups = (
        EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="line-4"),
        EnrollmentGroup.of_ca("CA-0", enrollment_group_id="line-5"),
        EnrollmentGroup.of_ca("ca-1", enrollment_group_id="line-6"),
    )
    page = await Visitor(instance(*groups, verified=[root()])).get("/certificates")

    assert "Groups line-4 , line-5 " in page


async def test_search_by_thumbprint() -> None:
    """SHA-1 with colons, as openssl shows it."""
    visitor = Visitor(instance(verified=[root(), other_root()]))
    digits = root().certificate.fingerprint(hashes.SHA1()).hex(":")  # noqa: S303 (as openssl does)
    page = await visitor.get(f"/certificates?q={digits}")

    assert "ca-0 verified" in page
    assert "ca-1 verified" not in page
    assert "None matches “nothing”." in await visitor.get("/certificates?q=nothing")
