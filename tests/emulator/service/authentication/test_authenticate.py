"""Who lets a device in: individual enrollments, groups, verified CAs, and whom they refuse."""

from __future__ import annotations

import base64
import hmac
import warnings
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.certificates import (
    certify,
    expired,
    expired_intermediate,
    intermediate,
    issued_by_leaf,
    issuer_may_not_sign,
    not_yet_valid,
    other_root,
    root,
    self_signed,
    unknown_root,
)
from tests.emulator.instance import instance, provision, refused, register, shown
from tests.emulator.tokens import KEY, derived, signed

from aiodps.emulator.protocol.messages import Identity
from aiodps.emulator.protocol.x509 import subject
from aiodps.emulator.service.authentication.authenticate import MAX_PRESENTED
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import CaReferences, SymmetricKeys
from aiodps.emulator.service.service import Service
from aiodps.pki import Authority, Credential

UNAUTHORIZED = (401, 401002, "Unauthorized")
INVALID = (401, 401002, "Invalid certificate.")
NO_CA = (401, 401002, "CA certificate not found.")
CHAIN = shown(certify()).certificates
NO_MATCH = (401, 401002, "Signing certificate info did not match chain elements.")


def individual(device: Credential, *, enabled: bool = True) -> IndividualEnrollment:
    """Enrol `device-1` by its certificate."""
    return IndividualEnrollment.x509(
        registration_id="device-1", certificate=device.certificate, enabled=enabled
    )


def group(ca: Credential, *, name: str = "group", enabled: bool = True) -> EnrollmentGroup:
    """Enrol the devices of a CA."""
    return EnrollmentGroup.signed_by(ca.certificate, enrollment_group_id=name, enabled=enabled)


@pytest.mark.parametrize("make", [certify, self_signed, unknown_root], ids=lambda m: m.__name__)
def test_an_individual_enrollment_knows_the_certificate(make: Callable[[], Credential]) -> None:
    """The enrolled certificate is enough, whoever signed it."""
    device = make()
    service = instance(individual(device))

    assert provision(service, shown(device)).body["status"] == "assigned"


def test_the_secondary_certificate_counts() -> None:
    """For roll-over, an individual enrollment takes either of two certificates."""
    old, new = self_signed(), self_signed()
    enrollment = IndividualEnrollment.x509(
        registration_id="device-1", certificate=old.certificate, secondary=new.certificate
    )
    service = instance(enrollment)

    assert register(service, shown(old)).status_code == 202
    assert register(service, shown(new)).status_code == 202


def test_casing_does_not_count() -> None:
    """Registration ids are case-insensitive: in the request, the enrollment and the CN."""
    device = self_signed("Device-1")
    service = instance(individual(device))

    assert register(service, shown(device), registration_id="DEVICE-1").status_code == 202


def test_another_certificate_of_the_same_name_is_refused() -> None:
    """The name alone proves nothing."""
    service = instance(individual(self_signed()))

    assert refused(register(service, shown(self_signed()))) == UNAUTHORIZED


def test_the_cn_must_be_the_registration_id() -> None:
    """The enrolled certificate does not let in another device than its CN names."""
    device = self_signed("device-2")
    service = instance(individual(device))

    assert refused(register(service, shown(device))) == UNAUTHORIZED


def test_a_device_without_certificate_is_refused() -> None:
    """Nobody is let in for nothing, enrolled or not."""
    service = instance(individual(self_signed()))

    assert refused(register(service, Identity())) == UNAUTHORIZED
    assert refused(register(service, Identity(), registration_id="nobody")) == UNAUTHORIZED


def test_a_device_of_symmetric_keys_is_refused() -> None:
    """A certificate is no proof where the enrollment asks for a key."""
    enrollment = IndividualEnrollment(registration_id="device-1", attestation=SymmetricKeys())
    service = instance(enrollment, group(root()), verified=[root()])

    assert refused(register(service, shown(certify()))) == UNAUTHORIZED


@pytest.mark.parametrize("make", [expired, not_yet_valid], ids=lambda make: make.__name__)
def test_dates_count_everywhere(make: Callable[[], Credential]) -> None:
    """An expired certificate lets nobody in, by its own enrollment or by its CA's."""
    device = make()
    by_thumbprint = instance(individual(device))
    by_ca = instance(group(root()), verified=[root()])

    assert refused(register(by_thumbprint, shown(device))) == INVALID
    assert refused(register(by_ca, shown(device))) == INVALID


@pytest.mark.parametrize("above", [0, 1, 2], ids=["root", "intermediate", "lowest intermediate"])
def test_a_group_may_be_of_any_ca_on_the_path(above: int) -> None:
    """Each CA between the device and the verified root can have a group."""
    top = Authority.root("top")
    middle = top.intermediate("middle")
    low = middle.intermediate("low")
    service = instance(group([top, middle, low][above]), verified=[top])
    state = provision(service, shown(low.device("device-1"))).body["registrationState"]

    assert state["x509"] == {"enrollmentGroupId": "group"}
    assert state["deviceId"] == "device-1"


def test_a_presented_root_does_no_harm() -> None:
    """The root may be on the wire or stay at home."""
    service = instance(group(root()), verified=[root()])
    identity = shown(certify(), root())

    assert register(service, identity).status_code == 202


def test_the_order_of_the_chain_does_not_count() -> None:
    """Intermediates are found by their signatures, not by their places."""
    low = intermediate().intermediate("low")
    device = low.device("device-1")
    service = instance(group(root()), verified=[root()])
    leaf, *above = shown(device).certificates

    assert register(service, shown(leaf, *reversed(above))).status_code == 202


@pytest.mark.parametrize("enrolled", [root, intermediate], ids=["root", "intermediate"])
def test_a_missing_intermediate_is_never_filled_in(enrolled: Callable[[], Credential]) -> None:
    """A device that does not show how it comes from the root is refused, group or not."""
    ca = enrolled()
    service = instance(group(ca), verified=[root()])
    leaf = certify().certificate

    assert refused(register(service, shown(leaf))) == NO_CA


def test_the_missing_middle_of_a_long_chain() -> None:
    """One of two intermediates is not enough, whichever it is."""
    low = intermediate().intermediate("low")
    leaf = low.device("device-1").certificate
    service = instance(group(root()), verified=[root()])

    assert refused(register(service, shown(leaf, low.certificate))) == NO_CA
    assert refused(register(service, shown(leaf, intermediate().certificate))) == NO_CA


@pytest.mark.parametrize("uploaded", [True, False])
def test_a_ca_is_not_a_device(uploaded: bool) -> None:
    """A certificate that is enrolled as a group's CA lets nobody in as its own device."""
    ca = certify("device-1", self_signed=True, ca=True)
    service = instance(group(ca), verified=[ca] if uploaded else [])

    assert refused(register(service, shown(ca))) == NO_MATCH
    assert refused(register(service, shown(ca, ca))) == NO_MATCH


def why(service: Service, identity: Identity) -> str:
    """Register and return what the operator is told, but not the device."""
    response = register(service, identity)
    assert refused(response) == NO_CA
    return response.why or ""


def test_the_operator_is_told_which_certificate_is_missing() -> None:
    """Not sent, not uploaded, or not verified: each is told as what it is."""
    enrolled = group(root())
    leaf = certify(issuer=intermediate()).certificate

    assert why(instance(enrolled, verified=[root()]), shown(leaf)) == (
        "the device presented 1 certificate(s) of a chain up to 'CN=device-1'; "
        f"its issuer {subject(intermediate().certificate)!a} is neither among them nor uploaded"
    )
    assert why(instance(enrolled), shown(certify(), root())) == (
        f"{subject(root().certificate)!a}, the top of the chain, is not uploaded"
    )
    assert why(instance(enrolled, unverified=[root()]), shown(certify())) == (
        "CA certificate 'ca-0' is uploaded, but not verified"
    )


def test_the_operator_is_told_which_key_was_taken_for_the_right_one() -> None:
    """The group's own key, or a key that was not decoded from base64."""
    keys = EnrollmentGroup(enrollment_group_id="keys", attestation=SymmetricKeys(primary=KEY))
    of_text = hmac.digest(KEY.encode(), b"device-1", "sha256")
    for key, mistake in (
        (KEY, "by the key itself, not by one derived from it, of group keys"),
        (base64.b64encode(KEY.encode()).decode(), "by the key as text, not decoded"),
        (base64.b64encode(of_text).decode(), "by a key derived from the key as text"),
        (derived(KEY, "device-2"), "not by a key derived from that of a group"),
    ):
        response = register(instance(keys), signed(key=key))

        assert refused(response)[2] == "Unauthorized"
        assert mistake in (response.why or "")


def test_an_unverified_root_lets_nobody_in() -> None:
    """Without a proof of possession anybody could enrol anybody's root."""
    service = instance(group(root()), unverified=[root()])

    assert refused(register(service, shown(certify()))) == NO_CA


def test_a_root_that_is_only_enrolled_lets_nobody_in() -> None:
    """The enrollment does not make a root known to the instance, presented or not."""
    service = instance(group(root()))

    assert refused(register(service, shown(certify()))) == NO_CA
    assert refused(register(service, shown(certify(), root()))) == NO_CA


def test_a_verified_intermediate_counts_as_well() -> None:
    """An intermediate that was uploaded and verified needs nothing above it."""
    service = instance(group(intermediate()), verified=[intermediate()])

    assert register(service, shown(certify())).status_code == 202
    assert register(service, shown(certify().certificate)).status_code == 202


def test_a_ca_below_proves_nothing_for_the_one_above() -> None:
    """A group of the root needs the root verified, not an intermediate of it."""
    service = instance(group(root()), verified=[intermediate()], unverified=[root()])

    assert refused(register(service, shown(certify()))) == NO_CA


def test_a_group_by_reference() -> None:
    """A group may name a CA certificate of the instance, in any casing."""
    enrollment = EnrollmentGroup.of_ca("CA-0", enrollment_group_id="by-name")
    trusted = instance(enrollment, verified=[root()])
    untrusted = instance(enrollment, unverified=[root()])

    assert register(trusted, shown(certify())).status_code == 202
    assert refused(register(untrusted, shown(certify()))) == NO_CA


def test_the_secondary_reference_counts() -> None:
    """For roll-over, a group may name two CA certificates of the instance."""
    references = CaReferences(primary="ca-0", secondary="ca-1")
    enrollment = EnrollmentGroup(enrollment_group_id="two", attestation=references)
    service = instance(enrollment, verified=[other_root(), root()])

    assert register(service, shown(certify())).status_code == 202
    assert register(service, shown(unknown_root())).status_code == 202


def test_a_reference_to_nothing() -> None:
    """A group that names no certificate of the instance lets nobody in."""
    enrollment = EnrollmentGroup.of_ca("gone", enrollment_group_id="by-name")
    service = instance(enrollment, verified=[root()])

    assert refused(register(service, shown(certify()))) == NO_MATCH


def test_the_secondary_ca_counts() -> None:
    """For roll-over, a group takes the devices of either of two CAs."""
    enrollment = EnrollmentGroup.signed_by(
        other_root().certificate, enrollment_group_id="two", secondary=root().certificate
    )
    service = instance(enrollment, verified=[root(), other_root()])

    assert register(service, shown(certify())).status_code == 202
    assert register(service, shown(unknown_root())).status_code == 202


def test_nobody_enrolled_the_ca() -> None:
    """A verified CA alone lets nobody in."""
    service = instance(verified=[root()])

    assert refused(register(service, shown(certify()))) == NO_MATCH


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (unknown_root, NO_CA),
        (self_signed, NO_CA),
        (issued_by_leaf, NO_CA),
        (expired_intermediate, INVALID),
    ],
    ids=["unknown root of the same name", "self-signed", "issued by a leaf", "expired CA"],
)
def test_chains_that_prove_nothing(
    make: Callable[[], Credential], why: tuple[int, int, str]
) -> None:
    """A group lets in only what its CA signed, through CAs, in time."""
    device = make()
    service = instance(group(root()), verified=[root()])

    assert refused(register(service, shown(device))) == why


def test_the_individual_enrollment_decides_first() -> None:
    """A device with an enrollment of its own never gets in by its group."""
    service = instance(individual(self_signed()), group(root()), verified=[root()])

    assert refused(register(service, shown(certify()))) == UNAUTHORIZED


def test_the_lowest_group_decides() -> None:
    """Of the groups on the path, the one of the CA nearest to the device counts."""
    low, high = group(intermediate(), name="low"), group(root(), name="high")
    service = instance(high, low, verified=[root()])
    state = provision(service, shown(certify())).body["registrationState"]

    assert state["x509"] == {"enrollmentGroupId": "low"}


@pytest.mark.parametrize("first", ["individual", "group"])
def test_a_disabled_first_hit_refuses(first: str) -> None:
    """A disabled enrollment is not passed over for the next one."""
    device = certify()
    disabled = (
        individual(device, enabled=False)
        if first == "individual"
        else group(intermediate(), name="low", enabled=False)
    )
    service = instance(disabled, group(root(), name="high"), verified=[root()])

    assert provision(service, shown(device)).body["status"] == "disabled"


def test_disabled_is_told_to_the_device_alone() -> None:
    """Whoever cannot prove to be the device does not learn that it is disabled."""
    service = instance(individual(self_signed(), enabled=False))

    assert refused(register(service, shown(self_signed()))) == UNAUTHORIZED


def test_chains_are_bounded() -> None:
    """A chain of hundreds costs nothing."""
    service = instance(group(root()), verified=[root()])
    leaf = certify().certificate
    longest = [leaf, intermediate().certificate] + [root().certificate] * (MAX_PRESENTED - 2)

    assert register(service, shown(*longest)).status_code == 202
    assert refused(register(service, shown(*longest, leaf))) == INVALID


def test_a_ca_that_may_not_sign() -> None:
    """Key usage is not looked at: no one knows whether the service does."""
    service = instance(group(root()), verified=[root()])

    assert register(service, shown(issuer_may_not_sign())).status_code == 202


def test_a_name_that_cannot_be_a_registration_id() -> None:
    """A certificate without a CN, or with a long one, is nobody's."""
    service = instance(group(root()), verified=[root()])

    assert refused(register(service, shown(certify(None)))) == UNAUTHORIZED
    assert refused(register(service, shown(certify("d" * 70)))) == UNAUTHORIZED


@pytest.fixture(scope="module")
def judge() -> Service:
    """Return an instance that judges signatures, not thumbprints."""
    return instance(group(root()), verified=[root()])


@given(data=st.data())
def test_every_certificate_is_judged(judge: Service, data: st.DataObject) -> None:
    """A chain with a byte changed anywhere is refused, never an accident."""
    chain = [each.public_bytes(Encoding.DER) for each in CHAIN]
    which = data.draw(st.integers(0, len(chain) - 1))
    der = bytearray(chain[which])
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    with warnings.catch_warnings(action="ignore"):
        try:
            changed = x509.load_der_x509_certificate(bytes(der))
        except (ValueError, x509.InvalidVersion):
            return

    if changed.signature == CHAIN[which].signature:
        # A bit string may call its last zero bit unused; the content is the same.
        assume(changed.tbs_certificate_bytes != CHAIN[which].tbs_certificate_bytes)

    presented = [*CHAIN[:which], changed, *CHAIN[which + 1 :]]

    assert register(judge, shown(*CHAIN)).status_code == 202
    assert register(judge, shown(*presented)).status_code == 401
