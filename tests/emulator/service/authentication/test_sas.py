"""Shared access signatures: read in every dialect, verified over what was written."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.certificates import certify, root, self_signed
from tests.emulator.instance import (
    HUB,
    NOW,
    SCOPE,
    ask,
    instance,
    poll,
    provision,
    refused,
    register,
    shown,
)
from tests.emulator.tokens import DIALECTS, KEY, OTHER_KEY, derived, signature, signed, token
from tests.sas_vectors import DERIVED, SIGNED, Derived, Signed

from aiodps.emulator.protocol.messages import Identity, Operation, Transport
from aiodps.emulator.service.authentication.sas import (
    CLOCK_SKEW,
    SasError,
    SharedAccessSignature,
    decode_key,
    derive_key,
)
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.service import Service

RAW_KEY = base64.b64decode(KEY)


@pytest.mark.parametrize("vector", DERIVED.values(), ids=DERIVED)
def test_derived_keys_on_record(vector: Derived) -> None:
    """A device's key is derived from its group's as others do it."""
    key = derive_key(decode_key(vector.group_key), vector.registration_id)

    assert base64.b64encode(key).decode() == vector.key


@pytest.mark.parametrize("vector", SIGNED.values(), ids=SIGNED)
def test_signatures_on_record(vector: Signed) -> None:
    """A token is verified as it was written, in whatever way."""
    sig = quote(vector.signature, safe="")
    read = SharedAccessSignature.read(
        f"SharedAccessSignature sr={vector.resource}&sig={sig}&se={vector.expiry}"
    )

    assert read.is_signed_with([decode_key(vector.key)])
    assert not read.is_signed_with([decode_key(OTHER_KEY)])
    assert read.expiry == vector.expiry


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects(dialect: str) -> None:
    """However a client writes it, the token is for its registration and by its key."""
    read = SharedAccessSignature.read(token("Device:1", dialect=dialect))

    assert read.is_for(f"{SCOPE}/registrations/device:1")
    assert read.is_signed_with([decode_key(OTHER_KEY), RAW_KEY])
    assert not read.is_signed_with([decode_key(OTHER_KEY)])
    assert read.policy in {None, "", "registration"}


def test_expiry() -> None:
    """A token lives a little longer than it says, for clocks differ."""
    read = SharedAccessSignature.read(token(expiry=NOW))

    assert not read.is_expired(read.expiry + CLOCK_SKEW)
    assert read.is_expired(read.expiry + CLOCK_SKEW + 1)


def test_the_end_is_signed_as_written() -> None:
    """Even with zeros in front."""
    sig = quote(signature(KEY, "a", "007"), safe="")
    read = SharedAccessSignature.read(f"SharedAccessSignature sr=a&sig={sig}&se=007")

    assert read.is_signed_with([RAW_KEY])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer abc",
        "SharedAccessSignature",
        "SharedAccessSignature sr=a&sig=AAAA",
        "SharedAccessSignature sr=a&se=1",
        "SharedAccessSignature sig=AAAA&se=1",
        "SharedAccessSignature sr=&sig=AAAA&se=1",
        "SharedAccessSignature sr=a&sig=AAA&se=1",
        "SharedAccessSignature sr=a&sig=%ff&se=1",
        "SharedAccessSignature sr=a&sig=AAAA&se=-1",
        "SharedAccessSignature sr=a&sig=AAAA&se=1.5",
        "SharedAccessSignature sr=a&sig=AAAA&se=\N{SUPERSCRIPT TWO}",
        "SharedAccessSignature sr=a&sig=AAAA&se=" + "9" * 5000,
        "SharedAccessSignature sr=a&sig=AAAA&se=1&se=2",
    ],
    ids=lambda text: ascii(text)[:60],
)
def test_no_tokens(text: str) -> None:
    """What is no token is said to be none."""
    with pytest.raises(SasError):
        SharedAccessSignature.read(text)


@given(text=st.text(max_size=200))
@example(text="SharedAccessSignature sr=\ud800&sig=AAAA&se=1")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else ever happens, and the message never holds the text."""
    for each in (
        text,
        f"SharedAccessSignature {text}",
        f"SharedAccessSignature sr={text}&sig=&se=1",
    ):
        try:
            read = SharedAccessSignature.read(each)
        except SasError:
            continue

        assert not read.is_signed_with([RAW_KEY])


@given(
    key=st.binary(min_size=16, max_size=64),
    other=st.binary(min_size=16, max_size=64),
    name=st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True),
    dialect=st.sampled_from(sorted(DIALECTS)),
)
def test_only_the_key_signs(key: bytes, other: bytes, name: str, dialect: str) -> None:
    """A signature is good for the key that made it and for no other."""
    text = token(name, key=base64.b64encode(key).decode(), dialect=dialect)
    read = SharedAccessSignature.read(text)

    assert read.is_signed_with([key])
    # HMAC pads keys with zeros: those are the same key.
    assert read.is_signed_with([other]) == (key.rstrip(b"\0") == other.rstrip(b"\0"))


def test_no_secret_in_the_repr() -> None:
    """A signature is as good as a password for as long as it lasts."""
    read = SharedAccessSignature.read(token())

    assert repr(read.signature) not in repr(read)
    assert "sig" not in repr(read)


REJECTED = (401, 401002, "Unauthorized")
REJECTED_OVER_MQTT = (401, 401000, "Unauthorized")
KEYS = SymmetricKeys(primary=KEY, secondary=OTHER_KEY)


def individual(keys: SymmetricKeys = KEYS, **more: Any) -> IndividualEnrollment:
    """Enrol `device-1` by keys of its own."""
    return IndividualEnrollment(registration_id="device-1", attestation=keys, **more)


def group(keys: SymmetricKeys = KEYS, *, name: str = "keys", **more: Any) -> EnrollmentGroup:
    """Enrol every device with a derived key."""
    return EnrollmentGroup(enrollment_group_id=name, attestation=keys, **more)


def member(registration_id: str = "device-1", *, key: str = KEY, **more: Any) -> Identity:
    """Show a token of a derived key."""
    return signed(registration_id, key=derived(key, registration_id), **more)


def state(service: Service, identity: Identity, **more: Any) -> dict[str, Any]:
    """Provision a device that is let in."""
    found: dict[str, Any] = provision(service, identity, **more).body["registrationState"]
    return found


@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["primary", "secondary"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_either_key_in_any_dialect(dialect: str, key: str) -> None:
    """Whatever client a device has, its key lets it in, its own or a derived one."""
    own = provision(instance(individual()), signed(key=key, dialect=dialect))
    of_group = provision(instance(group()), member(key=key, dialect=dialect))

    assert own.body["status"] == of_group.body["status"] == "assigned"


def test_what_the_state_says() -> None:
    """A device with a key of its own has no member for it; one of a group has the group's name.

    Source: Microsoft Learn, "How to use symmetric keys over HTTPS without an SDK".
    """
    own = state(instance(individual()), signed())
    of_group = state(instance(group()), member())

    assert list(own)[:3] == ["registrationId", "createdDateTimeUtc", "assignedHub"]
    assert next(iter(of_group)) == "symmetricKey"
    assert of_group["symmetricKey"] == {"enrollmentGroupId": "keys"}
    assert (of_group["assignedHub"], of_group["deviceId"]) == (HUB, "device-1")


WRONG = {
    "another key": signed(key=derived(KEY, "device-1")),
    "another device": signed("device-2"),
    "another instance": signed(id_scope="0ne000B0B0B"),
    "too old": signed(expiry=NOW - CLOCK_SKEW - 2),
    "no token": Identity(authorization="Basic abc"),
    "nothing": Identity(),
    "an empty password": Identity(authorization=""),
    "a certificate": shown(self_signed()),
}


@pytest.mark.parametrize("why", WRONG)
def test_wrong_proofs(why: str) -> None:
    """Each is 401, in the same words, and the journal hears more than the device."""
    response = register(instance(individual()), WRONG[why])

    assert refused(response) == REJECTED
    assert response.why
    assert "info" not in response.body


def test_wrong_keys_of_groups() -> None:
    """The key of the group itself, of another group and of another device let nobody in."""
    service = instance(group(SymmetricKeys(primary=KEY)))
    stolen = signed("device-2", key=derived(KEY, "device-1"))

    assert refused(register(service, signed(key=KEY))) == REJECTED
    assert refused(register(service, member(key=OTHER_KEY))) == REJECTED
    assert refused(register(service, stolen, registration_id="device-2")) == REJECTED
    assert refused(register(instance(), member())) == REJECTED


@pytest.mark.parametrize("operation", Operation)
def test_mqtt_has_a_code_of_its_own(operation: Operation) -> None:
    """Over MQTT a bad signature is 401000, seen on the wire; a client tries its next key then."""
    service = instance(individual())
    wrong = signed(key=derived(KEY, "device-1"))

    newest = "2026-11-15-preview"
    for transport, answer in ((Transport.MQTT, REJECTED_OVER_MQTT), (Transport.HTTPS, REJECTED)):
        response = ask(service, operation, wrong, transport=transport, api_version=newest)
        assert refused(response) == answer


def test_polls_and_look_ups_prove_as_much() -> None:
    """An operation id is no credential."""
    service = instance(group())
    accepted = register(service, member())

    assert poll(service, member(), accepted).body["status"] == "assigned"
    assert refused(poll(service, Identity(), accepted)) == REJECTED
    assert ask(service, Operation.STATUS_LOOKUP, member()).status_code == 200


@pytest.mark.parametrize("spelling", ["Device-1", "device-1"])
def test_casing_of_derived_keys(spelling: str) -> None:
    """A key may be derived from the id as it is presented, or from it in lower case."""
    identity = signed("Device-1", key=derived(KEY, spelling))

    assert register(instance(group()), identity, registration_id="Device-1").status_code == 202


def test_the_individual_enrollment_decides_first() -> None:
    """A device with an enrollment of its own does not come in by its group, nor the other way."""
    by_certificate = IndividualEnrollment.x509(
        registration_id="device-1", certificate=self_signed().certificate
    )

    assert refused(register(instance(individual(), group()), member())) == REJECTED
    assert refused(register(instance(by_certificate, group()), member())) == REJECTED
    assert register(instance(individual(), group()), signed()).status_code == 202


def test_groups_of_keys_and_of_certificates() -> None:
    """Each device comes in by what it shows; of both, the signature is judged."""
    by_ca = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="ca")
    service = instance(by_ca, group(), verified=[root()])
    both = Identity(certificates=shown(certify()).certificates, authorization=token())

    assert state(service, shown(certify()))["x509"] == {"enrollmentGroupId": "ca"}
    assert state(service, member())["symmetricKey"] == {"enrollmentGroupId": "keys"}
    assert refused(register(service, both)) == REJECTED


def test_the_right_one_of_many_groups() -> None:
    """The token does not name its group; it is found all the same, also the second time."""
    others = [group(SymmetricKeys(primary=derived(KEY, str(n))), name=f"g{n}") for n in range(99)]
    service = instance(*others, group(SymmetricKeys(primary=OTHER_KEY), name="last"))
    names = [
        state(service, member(key=OTHER_KEY))["symmetricKey"]["enrollmentGroupId"]
        for _ in range(2)
    ]

    assert names == ["last", "last"]


def test_a_device_may_change_its_group() -> None:
    """Where it was before only says where to look first."""
    service = instance(
        group(name="old"), group(SymmetricKeys(primary=derived(KEY, "n")), name="new")
    )
    first = state(service, member())
    second = state(service, member(key=derived(KEY, "n")))
    service.enrollments.remove(group(name="old"))

    assert first["symmetricKey"] == {"enrollmentGroupId": "old"}
    assert second["symmetricKey"] == {"enrollmentGroupId": "new"}
    assert refused(register(service, member())) == REJECTED


@pytest.mark.parametrize("enrollment", [individual(enabled=False), group(enabled=False)])
def test_disabled(enrollment: IndividualEnrollment | EnrollmentGroup) -> None:
    """A disabled enrollment is told to its device, and to nobody else."""
    identity = signed() if isinstance(enrollment, IndividualEnrollment) else member()
    service = instance(enrollment)

    assert provision(service, identity).body["status"] == "disabled"
    assert refused(register(service, signed(key=derived(KEY, "x")))) == REJECTED


@given(
    authorization=st.none()
    | st.text(max_size=200)
    | st.sampled_from([token(), token("device-2")]),
    operation=st.sampled_from(Operation),
)
def test_nothing_is_raised(authorization: str | None, operation: Operation) -> None:
    """Whatever stands in the header or the password, there is an answer."""
    service = instance(individual(), group())
    newest = "2026-11-15-preview"
    response = ask(service, operation, Identity(authorization=authorization), api_version=newest)

    assert (response.status_code == 401) == (authorization != token())
