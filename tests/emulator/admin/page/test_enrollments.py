"""The sections of individual enrollments and of groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import intermediate, root, self_signed
from tests.emulator.admin.page.visitor import Visitor
from tests.emulator.instance import HUB, instance

from aiodps.emulator.admin.page.enrollment_form import POLICY
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    SymmetricKeys,
)

pytestmark = pytest.mark.anyio
LAMP = self_signed("lamp")
PEM = LAMP.certificate_pem
NEW = {"id": "lamp", "attestation": "x509", "enabled": "yes"}


def lamp(**more: object) -> IndividualEnrollment:
    """Enrol a lamp."""
    return IndividualEnrollment.x509(registration_id="lamp", certificate=PEM, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "form", [PEM, LAMP.certificate.public_bytes(Encoding.DER)], ids=["PEM", "DER"]
)
async def test_enrol_a_device(form: bytes) -> None:
    """By its certificate, PEM or DER; the list says how it is attested."""
    visitor = Visitor()
    fields = NEW | {"device_id": "lamp-7", "allocation": "static", f"hub:{HUB}": "yes"}
    page = await visitor.post(
        "/enrollments/new", fields, {"primary": form, "secondary": root().certificate_pem}
    )

    assert "lamp was added." in page
    assert "CN=lamp" in page
    enrollment = visitor.service.enrollments.individual("lamp")
    assert enrollment is not None
    assert (enrollment.device_id, enrollment.allocation.named) == ("lamp-7", (HUB,))
    assert visitor.saved == 1


async def test_keys_are_made_and_shown_only_on_demand() -> None:
    """The keys are on the page of the enrollment, not in its document."""
    visitor = Visitor()
    await visitor.post("/enrollments/new", {"id": "lamp", "attestation": "symmetricKey"})
    enrollment = visitor.service.enrollments.individual("lamp")
    assert enrollment is not None
    assert isinstance(enrollment.attestation, SymmetricKeys)
    assert not enrollment.enabled

    page = await visitor.get("/enrollments/lamp")
    assert page.count(str(enrollment.attestation.primary)) == 1
    assert str(enrollment.attestation.primary) not in await visitor.get("/enrollments")


async def test_certificates_for_devices() -> None:
    """The three names are one policy; one of them alone comes back with the reason."""
    visitor, names = Visitor(), NEW | {"attestation": "symmetricKey"}
    whole = {each: each.lower() for each in POLICY}
    page = await visitor.refused("/enrollments/new", names | {"namespaceName": "my-namespace"})
    assert "has namespaceName; a policy is namespaceName, certificateAuthorityName" in page

    await visitor.post("/enrollments/new", names | whole)
    enrollment = visitor.service.enrollments.individual("lamp")
    assert enrollment is not None
    assert enrollment.issuance is not None
    assert enrollment.issuance.to_json() == whole


async def test_enrol_a_group() -> None:
    """By a CA, or by a CA certificate of the instance."""
    visitor = Visitor(instance(verified=[root()]))
    await visitor.post(
        "/groups/new", NEW | {"id": "line-4:5"}, {"primary": intermediate().certificate_pem}
    )
    fields = {
        "id": "by-name",
        "attestation": "caReference",
        "ca_primary": "ca-0",
        "enabled": "yes",
    }
    page = await visitor.post("/groups/new", fields)

    assert "line-4:5" in page
    by_name = visitor.service.enrollments.group("by-name")
    assert by_name is not None
    assert isinstance(by_name.attestation, CaReferences)
    assert "line-4:5" in await visitor.get("/groups/line-4%3A5")


@pytest.mark.parametrize(
    ("fields", "files", "reason"),
    [
        (NEW, {"primary": b""}, "choose the primary certificate"),
        (NEW, {"primary": b"rubbish"}, "the primary certificate is neither PEM nor DER"),
        (NEW | {"id": "no/slash"}, {"primary": PEM}, "is not a registration id"),
        (NEW | {"id": ""}, {"primary": PEM}, "the form"),
        (
            NEW | {"attestation": "symmetricKey", "primary_key": "not base64!"},
            {},
            "is not base64",
        ),
    ],
)
async def test_what_cannot_be_comes_back(
    fields: dict[str, str], files: dict[str, bytes], reason: str
) -> None:
    """With the reason, and with what was typed; nothing is enrolled."""
    visitor = Visitor()
    answer = await visitor.submit("/enrollments/new", fields | {"device_id": "typed"}, files)

    assert answer.status_code == 400
    assert reason in bytes(answer.body).decode()
    assert 'value="typed"' in bytes(answer.body).decode()
    assert list(visitor.service.enrollments) == []
    assert visitor.saved == 0


async def test_nothing_is_overwritten_by_mistake() -> None:
    """An id that is there already is refused, in any casing."""
    visitor = Visitor(instance(lamp()))
    page = await visitor.refused("/enrollments/new", NEW | {"id": "LAMP"}, {"primary": PEM})

    assert "LAMP exists already" in page


async def test_disable_and_enable() -> None:
    """Nothing else about the enrollment changes."""
    visitor = Visitor(instance(lamp(device_id="d")))
    assert "lamp is disabled." in await visitor.post("/enrollments/lamp/status", {"enabled": ""})
    disabled = visitor.service.enrollments.individual("lamp")
    assert disabled is not None
    assert (disabled.enabled, disabled.device_id) == (False, "d")

    page = await visitor.post("/enrollments/lamp/status", {"enabled": "yes"})
    assert "lamp is enabled." in page
    assert visitor.saved == 2


async def test_delete() -> None:
    """It is gone; asking again says so."""
    group = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="line")
    visitor = Visitor(instance(lamp(), group))
    assert "None yet." in await visitor.post("/enrollments/lamp/delete")
    assert "line was deleted." in await visitor.post("/groups/line/delete")

    for method, path in (("GET", "/groups/line"), ("POST", "/groups/line/delete")):
        answer = await visitor.ask(method, path)
        assert answer.status_code == 404
    assert (await visitor.submit("/groups/line/status")).status_code == 404


async def test_a_long_list_is_cut() -> None:
    """Two hundred rows at first, all on demand."""
    enrollments = [
        IndividualEnrollment.x509(registration_id=f"lamp-{n}", certificate=LAMP.certificate)
        for n in range(201)
    ]
    visitor = Visitor(instance(*enrollments))

    assert "The first 200 of 201." in await visitor.get("/enrollments")
    assert "lamp-200" in await visitor.get("/enrollments?all=1")


def etag_of(visitor: Visitor, name: str = "lamp") -> str:
    """Return the etag that the form of an enrollment has."""
    found = visitor.service.enrollments.individual(name)
    assert found is not None
    return found.etag


async def test_edit() -> None:
    """The form shows what there is; what is changed is saved, the rest stays."""
    visitor = Visitor(instance(lamp(device_id="lamp-7")))
    answer = await visitor.ask("GET", "/enrollments/lamp/edit")
    html = bytes(answer.body).decode()
    assert 'value="lamp-7"' in html
    assert 'name="attestation" value="x509"' in html

    fields = {"etag": etag_of(visitor), "attestation": "x509", "device_id": "lamp-8"}
    page = await visitor.post(
        "/enrollments/lamp/edit",
        fields | {"reprovision": "never", "twin": '{"tags": {"hall": 4}}'},
        {"secondary": root().certificate_pem},
    )
    assert "lamp was saved." in page
    changed = visitor.service.enrollments.individual("lamp")
    assert changed is not None
    assert (changed.device_id, changed.enabled) == ("lamp-8", False)
    assert changed.initial_twin == {"tags": {"hall": 4}}
    assert not changed.reprovision_policy.update_hub_assignment
    assert isinstance(changed.attestation, ClientCertificates)
    assert changed.attestation.secondary is not None
    assert visitor.saved == 1


async def test_an_edit_does_not_undo_that_of_another() -> None:
    """409, with what was typed; whoever has seen it may save all the same."""
    visitor = Visitor(instance(lamp()))
    fields = {"etag": etag_of(visitor), "attestation": "x509", "device_id": "mine"}
    await visitor.post("/enrollments/lamp/status", {"enabled": ""})
    answer = await visitor.submit("/enrollments/lamp/edit", fields, {"secondary": PEM})

    assert answer.status_code == 409
    html = bytes(answer.body).decode()
    assert "was changed after you opened this form" in html
    assert 'value="mine"' in html
    assert "Chosen before: CN=lamp" in html

    page = await visitor.post("/enrollments/lamp/edit", fields | {"overwrite": "yes"})
    assert "lamp was saved." in page


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"twin": "{"}, "twin", "initialTwin is not JSON in line 1"),
        ({"allocation": "static"}, "allocation", "'static' needs one IoT hub, not 0"),
        ({"allocation": "custom"}, "webhook_url", "A CustomAllocationDefinition is required"),
        ({"webhook_url": "ftp://a", "webhook_version": "v"}, "webhook_url", "is not an http or"),
        ({"namespaceName": "n"}, "namespaceName", "has namespaceName; a policy is"),
    ],
)
async def test_an_edit_that_is_refused(changed: dict[str, str], field: str, reason: str) -> None:
    """In the words of the service API, with the field marked and everything still there."""
    visitor = Visitor(instance(lamp()))
    fields = {"etag": etag_of(visitor), "attestation": "x509", "device_id": "typed"} | changed
    answer = await visitor.submit("/enrollments/lamp/edit", fields)

    assert answer.status_code == 400
    html = bytes(answer.body).decode().replace("&#39;", "'")
    assert reason in html
    assert 'value="typed"' in html
    marked = html[html.index(f'name="{field}"') :]
    assert 'aria-invalid="true" aria-describedby="message"' in marked[: marked.index(">")]
    assert visitor.saved == 0


async def test_swap_primary_and_secondary() -> None:
    """Certificates and keys; without a secondary there is nothing to swap."""
    visitor = Visitor(instance(lamp(secondary=root().certificate)))
    page = await visitor.post("/enrollments/lamp/swap")
    assert "Primary and secondary of lamp are swapped." in page
    swapped = visitor.service.enrollments.individual("lamp")
    assert swapped is not None
    assert swapped.attestation == ClientCertificates.of(root().certificate, LAMP.certificate)

    alone = Visitor(instance(lamp()))
    assert "has no secondary credential" in await alone.post("/enrollments/lamp/swap")


async def test_a_thumbprint_finds_the_enrollment() -> None:
    """With colons, in lower case."""
    visitor = Visitor(instance(lamp()))
    digits = LAMP.certificate.fingerprint(hashes.SHA256()).hex(":")

    assert "1 match" in await visitor.get(f"/enrollments?q={digits}")
    assert "0 match" in await visitor.get("/enrollments?q=00:11:22:33")


@pytest.mark.parametrize("action", ["edit", "swap"])
async def test_nothing_to_edit(action: str) -> None:
    """404."""
    visitor = Visitor()
    assert (await visitor.submit(f"/groups/none/{action}")).status_code == 404
    assert (await visitor.ask("GET", "/groups/none/edit")).status_code == 404


async def test_a_tpm() -> None:
    """By its endorsement key, which is public."""
    visitor = Visitor()
    fields = {"id": "press", "attestation": "tpm", "endorsement_key": "QUJD", "enabled": "yes"}
    await visitor.post("/enrollments/new", fields)

    assert "Endorsement key Show QUJD" in await visitor.get("/enrollments/press")


async def test_what_is_stored_is_escaped() -> None:
    """Wherever the page shows it, attributes and the text of a field too."""
    hostile = "\"'></textarea><script>x</script>"
    twin = {"tags": {hostile: hostile}}
    service = instance(replace(lamp(device_id=hostile), initial_twin=twin))
    service.linked_hubs.append(hostile)
    visitor = Visitor(service)
    for path in ("/enrollments", "/enrollments/lamp", "/enrollments/lamp/edit", "/hubs", "/"):
        html = bytes((await visitor.ask("GET", path)).body).decode()
        assert "<script>x" not in html
        assert "</textarea><script" not in html
        assert "\"'>" not in html
