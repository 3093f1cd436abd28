"""The service API of enrollments."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.certificates import certify, root
from tests.emulator.administrator import KEYS, Administrator
from tests.emulator.instance import NOW, ask, shown

from aiodps.emulator.protocol.messages import Operation

GROUPS, INDIVIDUALS = "/enrollmentGroups", "/enrollments"
ID_MEMBER = {INDIVIDUALS: "registrationId", GROUPS: "enrollmentGroupId"}
DEVICE = certify()
X509 = {
    "type": "x509",
    "x509": {
        "clientCertificates": {"primary": {"certificate": DEVICE.certificate_pem.decode()}},
        "signingCertificates": None,
        "caReferences": None,
    },
    "tpm": None,
    "symmetricKey": None,
}


@pytest.fixture
def admin() -> Administrator:
    """Return the administrator of an instance without enrollments."""
    return Administrator()


def test_create_get_change_delete(admin: Administrator) -> None:
    """The life of an enrollment."""
    made = admin.enroll(
        deviceId="robot", initialTwin={"tags": {"a": 1}}, allocationPolicy="hashed"
    )
    admin.now += 60
    got = admin.call("GET", "/enrollments/device-1")
    changed = admin.call(
        "PUT",
        "/enrollments/device-1",
        got | {"provisioningStatus": "disabled"},
        if_match=got["etag"],
    )

    assert got == made | {"attestation": KEYS}
    assert changed["provisioningStatus"] == "disabled"
    assert changed["attestation"] == made["attestation"], "keys stay if they are not sent"
    assert changed["etag"] != made["etag"]
    assert changed["createdDateTimeUtc"] == made["createdDateTimeUtc"]
    assert changed["lastUpdatedDateTimeUtc"] > made["lastUpdatedDateTimeUtc"]
    assert admin.send("DELETE", "/enrollments/device-1").status_code == 204
    assert admin.refused("GET", "/enrollments/device-1") == 404201
    assert admin.refused("DELETE", "/enrollments/device-1") == 404201


def test_groups_live_likewise(admin: Administrator) -> None:
    """With an error code of their own."""
    made = admin.enroll_group()

    assert admin.call("GET", "/ENROLLMENTGROUPS/GROUP-1/") == made | {"attestation": KEYS}
    assert admin.refused("GET", "/enrollments/group-1") == 404201
    assert admin.send("DELETE", "/enrollmentGroups/group-1", if_match=made["etag"]).body is None
    assert admin.refused("GET", "/enrollmentGroups/group-1") == 404204


@pytest.mark.parametrize("symmetric", [{}, None, {"primaryKey": "", "secondaryKey": ""}])
def test_keys_are_made(admin: Administrator, symmetric: object) -> None:
    """If there are none: absent, empty, or empty texts as the Java client sends."""
    made = admin.enroll(attestation=KEYS | {"symmetricKey": symmetric})
    keys = made["attestation"]["symmetricKey"]
    mechanism = admin.call("POST", "/enrollments/device-1/attestationmechanism")

    assert {len(base64.b64decode(key)) for key in keys.values()} == {64}
    assert mechanism == {"type": "symmetricKey", "symmetricKey": keys}


def test_certificates(admin: Administrator) -> None:
    """They are shown by what they say; a change that sends that back loses nothing."""
    made = admin.enroll(attestation=X509)
    admin.call("PUT", "/enrollments/device-1", made, if_match="*")
    response = ask(admin.service, Operation.REGISTER, shown(DEVICE))

    primary = made["attestation"]["x509"]["clientCertificates"]["primary"]
    assert list(primary) == ["info"]
    assert len(primary["info"]) == 8
    assert primary["info"]["subjectName"] == "CN=device-1"
    assert response.status_code == 202


def test_a_device_is_shown_with_what_became_of_it(admin: Administrator) -> None:
    """`registrationState`, without what is only for the device; it cannot be written."""
    made = admin.enroll(attestation=X509)
    ask(admin.service, Operation.REGISTER, shown(DEVICE))
    got = admin.call("GET", "/enrollments/device-1")
    state = got.pop("registrationState")
    (listed,) = admin.call("POST", "/enrollments/query", {"query": "SELECT *"})

    assert got == made
    assert (state["status"], state["registrationId"]) == ("assigned", "device-1")
    assert "x509" not in state
    assert listed["registrationState"] == state
    changed = got | {"registrationState": {"status": "failed"}}
    assert admin.call("PUT", "/enrollments/device-1", changed, if_match="*").keys() == got.keys()


@pytest.mark.parametrize("collection", [INDIVIDUALS, GROUPS])
def test_if_match(admin: Administrator, collection: str) -> None:
    """Over what is there: 409 without it, 412 with another etag; quotes do not count."""
    path = f"{collection}/a"
    body = {ID_MEMBER[collection]: "a", "attestation": KEYS}
    etag = admin.call("PUT", path, body)["etag"]

    assert admin.refused("PUT", path, body) == 409000
    assert admin.refused("PUT", path, body, if_match='"other"') == 412000
    assert admin.refused("DELETE", path, if_match="other") == 412000
    assert etag == admin.send("GET", path).headers["ETag"]
    etag = admin.call("PUT", path, body, if_match=etag)["etag"]
    etag = admin.call("PUT", path, body, if_match=etag.strip('"'))["etag"]
    assert admin.send("DELETE", path, if_match=etag).status_code == 204
    assert admin.refused("PUT", path, body, if_match=etag) == 412000
    assert admin.send("PUT", path, body, if_match="*").status_code == 200


@pytest.mark.parametrize("query", ["SELECT * FROM enrollments", "{'query': 'SELECT *'}", ""])
def test_queries_list_all(admin: Administrator, query: str) -> None:
    """Whatever their text says: the Azure CLI sends a printed Python dict."""
    for name in "cab":
        admin.enroll(name)
        admin.enroll_group(f"g-{name}")

    individuals = admin.call("POST", "/enrollments/query", {"query": query})
    groups = admin.send(
        "POST", "/enrollmentGroups/query", {"query": query}, x_ms_max_item_count="2"
    )
    assert [each["registrationId"] for each in individuals] == ["a", "b", "c"]
    assert "primaryKey" not in str(individuals)
    assert isinstance(groups.body, list)
    assert [each["enrollmentGroupId"] for each in groups.body] == ["g-a", "g-b"]
    assert groups.headers["x-ms-item-type"] == "enrollmentGroup"


@pytest.mark.parametrize("body", [b"", b"[]", {}, {"query": 1}])
def test_a_query_needs_a_query(admin: Administrator, body: object) -> None:
    """Source: `QuerySpecification` requires it."""
    assert admin.refused("POST", "/enrollments/query", body) == 400004


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/enrollments/a", {}),
        ("/enrollments/a", {"attestation": {"type": "none"}}),
        ("/enrollments/a", {"attestation": KEYS, "registrationId": "b"}),
        ("/enrollments/a", {"attestation": KEYS, "registrationId": 1}),
        ("/enrollments/a", {"attestation": KEYS, "enrollmentGroupId": "a"}),
        ("/enrollments/a", {"attestation": KEYS, "initialTwin": []}),
        ("/enrollments/a", {"attestation": KEYS, "capabilities": {"iotEdge": "no"}}),
        ("/enrollments/a", {"attestation": KEYS, "customAllocationDefinition": {}}),
        ("/enrollmentGroups/a", {"attestation": X509}),
        (
            "/enrollmentGroups/a",
            {"attestation": {"type": "tpm", "tpm": {"endorsementKey": "AA=="}}},
        ),
    ],
)
def test_what_cannot_be_enrolled(admin: Administrator, path: str, document: Any) -> None:
    """400, and nothing is enrolled."""
    assert admin.refused("PUT", path, document) == 400004
    assert list(admin.service.enrollments) == []


@pytest.mark.parametrize("name", ["a%20b", "a_", "é", "x" * 129, "%00"])
@pytest.mark.parametrize("collection", [INDIVIDUALS, GROUPS])
def test_names_that_cannot_be(admin: Administrator, collection: str, name: str) -> None:
    """Of devices and groups alike."""
    assert admin.refused("PUT", f"{collection}/{name}", {"attestation": KEYS}) == 400000


def test_the_body_names_what_the_path_does(admin: Administrator) -> None:
    """Percent-encoded or not; a body that does not name it is refused, as it is required."""
    body = {"registrationId": "device:1", "attestation": KEYS}
    made = admin.call("PUT", "/enrollments/device%3A1", body)

    assert made["registrationId"] == "device:1"
    for wrong in ({}, {"registrationId": None}, {"registrationId": "b"}, {"registrationId": 1}):
        assert admin.refused("PUT", "/enrollments/a", wrong | {"attestation": KEYS}) == 400004


REGISTRY: dict[str, Any] = {
    "credentialPolicyName": "policy",
    "namespaceName": "my-namespace",
    "certificateAuthorityName": "my-ca",
    "certificatePolicyName": "my-policy",
    "deviceTypeRefs": ["sensor"],
}
"""Members of Azure Device Registry."""
OF_2026 = {"namespaceName", "certificateAuthorityName", "certificatePolicyName"}


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2018-04-01", set()),
        ("2021-10-01", {"reprovisionPolicy"}),
        ("2025-07-01-preview", {"reprovisionPolicy", "credentialPolicyName"}),
        ("2026-11-01", {"reprovisionPolicy", *OF_2026}),
        ("2026-11-02-preview", {"reprovisionPolicy", "deviceTypeRefs", *OF_2026}),
    ],
)
def test_versions_write_and_read_what_they_know(
    admin: Administrator, version: str, names: set[str]
) -> None:
    """Source: the published specifications of the versions."""
    admin.api_version = version
    known = {name: value for name, value in REGISTRY.items() if name in names}
    made = admin.enroll(**known, unheardOf={"a": [1]})

    assert made.keys() & {"reprovisionPolicy", *REGISTRY} == names
    assert made["unheardOf"] == {"a": [1]}
    for name in REGISTRY.keys() - names:
        body = {"registrationId": "b", "attestation": KEYS, name: REGISTRY[name]}
        assert admin.refused("PUT", "/enrollments/b", body) == 400012


def test_a_group_lets_its_devices_in(admin: Administrator) -> None:
    """From the service API to the device."""
    pem = base64.b64encode(root().certificate_pem).decode()
    signing = {"signingCertificates": {"primary": {"certificate": pem}}}
    admin.service.certificates.upload("root", root().certificate, verified=True, now=NOW)
    admin.enroll_group(attestation={"type": "x509", "x509": signing})

    assert ask(admin.service, Operation.REGISTER, shown(DEVICE)).status_code == 202


class Etags(RuleBasedStateMachine):
    """Etags as the model of one enrollment has them: who saw the last state may change it."""

    def __init__(self) -> None:
        super().__init__()
        self.admin = Administrator()
        self.current: str | None = None
        self.seen = {"*", '"never-given"'}

    @initialize(collection=st.sampled_from([INDIVIDUALS, GROUPS]))
    def begin(self, collection: str) -> None:
        """Work on devices or on groups."""
        self.path, self.id_member = f"{collection}/a", ID_MEMBER[collection]

    def expected(self, if_match: str | None, *, put: bool) -> int:
        """Say what the answer must be."""
        if self.current is None:
            return (200 if if_match in {None, "*"} else 412) if put else 404

        if if_match is None:
            return 409 if put else 204

        return (200 if put else 204) if if_match in {"*", self.current} else 412

    @rule(data=st.data(), quoted=st.booleans(), put=st.booleans())
    def change(self, data: st.DataObject, *, quoted: bool, put: bool) -> None:
        """Put or delete, with any etag that there ever was, or none."""
        if_match = data.draw(st.sampled_from([None, *sorted(self.seen)]))
        text = if_match if if_match is None or quoted else if_match.strip('"')
        headers = {} if text is None else {"if_match": text}
        method, body = (
            ("PUT", {self.id_member: "a", "attestation": KEYS}) if put else ("DELETE", None)
        )
        response = self.admin.send(method, self.path, body, **headers)

        assert response.status_code == self.expected(if_match, put=put)
        if response.status_code == 204:
            self.current = None
        elif response.status_code == 200:
            assert isinstance(response.body, dict)
            self.current = response.body["etag"]
            assert self.current not in self.seen
            self.seen.add(str(self.current))

    @invariant()
    def what_is_there_has_the_last_etag(self) -> None:
        """A refused change changed nothing."""
        if not hasattr(self, "path"):
            return

        response = self.admin.send("GET", self.path)
        assert response.status_code == (404 if self.current is None else 200)
        assert response.headers.get("ETag") == self.current


TestEtags = Etags.TestCase
TestEtags.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
