"""The section of CA certificates: the way of the published article."""

from __future__ import annotations

import pytest
from tests.certificates import root, self_signed
from tests.emulator.admin.page.visitor import Visitor
from tests.emulator.instance import instance

pytestmark = pytest.mark.anyio


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
