"""`--strict`: each rule refuses what it says, and nothing is refused that breaks none."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import certify, self_signed
from tests.emulator.instance import NOW, SCOPE, ask, instance, poll, register, shown
from tests.emulator.service.registrations.test_register import group
from tests.emulator.tokens import DIALECTS, KEY, derived, signature, token

from aiodps.emulator.protocol.messages import Identity, Operation, Request, Response, Transport
from aiodps.emulator.protocol.strict_rules import StrictRule
from aiodps.emulator.service.enrollments.enrollment import IndividualEnrollment
from aiodps.emulator.service.service import Service
from aiodps.emulator.service.strict import MAX_DEVICES, Strict

BODY = b'{"registrationId":"device-1"}'
OWN = derived(KEY, "device-1")
DEVICE = Identity(authorization=token(key=OWN))
LIBERTIES: dict[str, tuple[StrictRule, dict[str, Any]]] = {
    "a deviation on the wire": (StrictRule.TOPIC, {"deviations": [StrictRule.TOPIC]}),
    "id scope": (StrictRule.ID_SCOPE, {"id_scope": SCOPE.lower()}),
    "id that begins with a dash": (StrictRule.REGISTRATION_ID, {"registration_id": "-d"}),
    "no body": (StrictRule.REGISTRATION_ID_MISSING, {"body": b""}),
    "body without id": (StrictRule.REGISTRATION_ID_MISSING, {"body": b'{"payload":{}}'}),
    "another casing": (
        StrictRule.REGISTRATION_ID_CASING,
        {"body": b'{"registrationId":"DEVICE-1"}'},
    ),
    "member in another casing": (
        StrictRule.MEMBERS,
        {"body": b'{"RegistrationId":"device-1"}'},
    ),
    "unknown member": (StrictRule.MEMBERS, {"body": BODY[:-1] + b',"x":1}'}),
    "csr before its version": (StrictRule.MEMBERS, {"body": BODY[:-1] + b',"csr":"AA"}'}),
    "null": (StrictRule.NULL, {"body": BODY[:-1] + b',"payload":null}'}),
}


def strict(**more: Any) -> Service:
    """Make a strict instance."""
    return instance(group(), strict=True, **more)


def rule(response: Response) -> str | None:
    """Name the rule that a refusal names."""
    message = response.body.get("message", "")
    return message.removeprefix("Strict rule ").partition(":")[0] if "Strict" in message else None


@pytest.mark.parametrize("transport", Transport)
def test_a_client_that_takes_no_liberty(transport: Transport) -> None:
    """It is provisioned as ever."""
    service, options = strict(), dict[str, Any](transport=transport)
    accepted = register(service, DEVICE, body=BODY, **options)
    done = poll(service, DEVICE, accepted, now=NOW + 3, **options)
    looked_up = ask(service, Operation.STATUS_LOOKUP, DEVICE, body=BODY, now=NOW + 3, **options)

    assert done.body["status"] == looked_up.body["status"] == "assigned"
    assert register(service, DEVICE, body=BODY, now=NOW + 3, **options).status_code == 202


@pytest.mark.parametrize("case", LIBERTIES)
def test_forms(case: str) -> None:
    """Each is 400, by a strict instance alone."""
    deviation, options = LIBERTIES[case]
    response = register(strict(), DEVICE, **{"body": BODY, **options})
    tolerated = register(instance(group()), DEVICE, **{"body": BODY, **options})

    assert (response.status_code, rule(response)) == (400, deviation.rule)
    assert deviation.advice in response.body["message"]
    assert rule(tolerated) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_of_tokens(dialect: str) -> None:
    """Only the canonical form is good: what the articles, C# and Embedded C write."""
    text = token(key=OWN, dialect=dialect)
    responses = [
        register(strict(), Identity(authorization=text), body=BODY, transport=transport)
        for transport in (Transport.HTTPS, Transport.MQTT)
    ]

    if dialect.startswith("Microsoft's articles"):
        assert [each.status_code for each in responses] == [202, 202]
    else:
        assert {rule(each) for each in responses} <= {"sas-resource", "sas-policy"}
        assert [each.body["errorCode"] for each in responses] == [401002, 401000]


def raw(*, sr: str, skn: str = "registration", expiry: int = int(NOW) + 60) -> Identity:
    """Show a token with a raw signature."""
    sig = signature(OWN, sr, expiry)
    return Identity(authorization=f"SharedAccessSignature sr={sr}&sig={sig}&se={expiry}&skn={skn}")


@pytest.mark.parametrize(
    ("identity", "deviation"),
    [
        (raw(sr=f"{SCOPE}%2Fregistrations%2Fdevice-1"), StrictRule.SAS_SIGNATURE),
        (Identity(authorization=token(key=OWN, expiry=NOW - 1)), StrictRule.SAS_EXPIRED),
        (Identity(authorization=token("DEVICE-1", key=OWN)), StrictRule.SAS_RESOURCE),
        (Identity(shown(self_signed()).certificates, token(key=OWN)), StrictRule.TWO_PROOFS),
        (shown(self_signed("DEVICE-1")), StrictRule.COMMON_NAME),
        (shown(certify(self_signed=True, ca=True)), StrictRule.LEAF_CA),
        (shown(certify(self_signed=True, constraints=False)), StrictRule.LEAF_CA),
        (
            shown(certify(self_signed=True, usages=[ExtendedKeyUsageOID.SERVER_AUTH])),
            StrictRule.LEAF_USAGE,
        ),
        (shown(certify(self_signed=True, usages=[])), StrictRule.LEAF_USAGE),
    ],
    ids=lambda value: value.rule if isinstance(value, StrictRule) else "",
)
def test_proofs(identity: Identity, deviation: StrictRule) -> None:
    """Each is 401."""
    response = register(strict(), identity, body=BODY)

    assert (response.status_code, rule(response)) == (401, deviation.rule)


def test_a_wrong_proof_is_refused_for_what_it_is() -> None:
    """A token for another device, or none at all, breaks no rule of form."""
    for identity in (
        Identity(),
        Identity(authorization="x"),
        Identity(authorization=token("device-2", key=OWN)),
        shown(self_signed("device-2")),
    ):
        response = register(strict(), identity, body=BODY)
        assert (response.status_code, rule(response)) == (401, None)


def test_polls_take_their_time() -> None:
    """Too early is 429, with what is left of the time; afterwards all is well."""
    service = strict(assign_after=4)
    accepted = register(service, DEVICE, body=BODY)
    early = [poll(service, DEVICE, accepted, now=NOW + n) for n in (0.5, 2.9)]
    first = poll(service, DEVICE, accepted, now=NOW + 3)
    again = poll(service, DEVICE, accepted, now=NOW + 5)
    last = poll(service, DEVICE, accepted, now=NOW + 6)
    after = poll(service, DEVICE, accepted, now=NOW + 6)

    assert [(each.status_code, rule(each)) for each in early] == [(429, "early-poll")] * 2
    assert [each.retry_after for each in early] == [3, 1]
    assert (first.status_code, rule(again)) == (202, "early-poll")
    assert (last.status_code, after.status_code) == (200, 200)


def test_polls_have_no_payload() -> None:
    """Not even a space."""
    service = strict()
    accepted = register(service, DEVICE, body=BODY)
    response = poll(service, DEVICE, accepted, body=b" ", now=NOW + 3)

    assert (response.status_code, rule(response)) == (400, "poll-payload")


def test_one_operation_at_a_time() -> None:
    """A second register request is 409203, seen on the wire, until the first has ended."""
    service = strict(assign_after=2)
    register(service, DEVICE, body=BODY)
    second = register(service, DEVICE, body=BODY, now=NOW + 1)

    assert (second.status_code, second.body["errorCode"]) == (409, 409203)
    assert rule(second) == "in-flight"
    assert register(service, DEVICE, body=BODY, now=NOW + 2).status_code == 202


def test_strangers_learn_nothing_of_operations() -> None:
    """Whoever does not prove to be the device is not told that it is early."""
    service = strict(assign_after=2)
    accepted = register(service, DEVICE, body=BODY)
    stranger = Identity(authorization=token(key=KEY))

    assert poll(service, stranger, accepted).status_code == 401
    assert register(service, stranger, body=BODY).status_code == 401


def test_a_certificate_in_its_own_casing() -> None:
    """The CN as the registration id is no liberty."""
    device = self_signed()
    enrollment = IndividualEnrollment.x509(
        registration_id="device-1", certificate=device.certificate
    )

    assert register(instance(enrollment, strict=True), shown(device), body=BODY).status_code == 202


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    """Of too many devices that wait, the oldest waits are forgotten."""
    rules, waiting = Strict(SCOPE), Response(status_code=202, body={}, retry_after=3)
    for number in range(MAX_DEVICES + 9):
        request = Request(
            operation=Operation.REGISTER, id_scope=SCOPE, registration_id=str(number),
            api_version=None,
        )  # fmt: skip
        rules.note_retry_after(request, waiting, now=NOW)

    assert len(rules._waits) == MAX_DEVICES


@given(
    body=st.binary(max_size=80) | st.sampled_from([BODY, b"{}", b"[]", b'{"a":NaN}']),
    authorization=st.none() | st.text(max_size=80) | st.just(token(key=OWN)),
    operation=st.sampled_from(Operation),
    registration_id=st.text(max_size=9) | st.just("device-1"),
)
def test_nothing_is_raised(
    body: bytes, authorization: str | None, operation: Operation, registration_id: str
) -> None:
    """Whatever comes, there is an answer."""
    identity = Identity(authorization=authorization)
    response = ask(strict(), operation, identity, body=body, registration_id=registration_id)

    assert response.status_code in range(200, 500)
