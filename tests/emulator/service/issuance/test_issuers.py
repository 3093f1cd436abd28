"""The CAs of policies, and what the service answers to a device with a CSR."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.emulated import device
from tests.emulator.dict_store import DictStore
from tests.emulator.instance import (
    HUB,
    NOW,
    ask,
    instance,
    poll,
    provision,
    refused,
    register,
    shown,
)
from tests.emulator.service.issuance.requests import POLICY, chain, csr, device_key
from tests.emulator.service.registrations.test_register import DEVICE as BY_KEY
from tests.emulator.service.registrations.test_register import NEW, answer, custom

from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.service.enrollments.enrollment import IndividualEnrollment
from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.service.issuance.csr import read_csr
from aiodps.emulator.service.issuance.issuers import Issuers
from aiodps.emulator.service.service import Service
from aiodps.errors import ConfigurationError

DEVICE = shown(device())
BODY = json.dumps({"csr": csr()}).encode()
ASKING: dict[str, Any] = {"api_version": "2026-11-01", "body": BODY}


def enrolled(policy: IssuancePolicy | None = POLICY, **terms: Any) -> IndividualEnrollment:
    """Enroll the device."""
    made = IndividualEnrollment.x509(registration_id="device-1", certificate=device().certificate)
    return replace(made, issuance=policy, **terms)


def issued(service: Service) -> list[x509.Certificate]:
    """Let the device register, and read the certificates that it is issued."""
    return chain(provision(service, DEVICE, **ASKING).body)


def test_a_certificate_is_issued() -> None:
    """For the device's own key, under its registration id, below a CA and a root on P-384."""
    service = instance(enrolled())
    leaf, *above = issued(service)

    assert leaf.public_key() == device_key().public_key()
    assert leaf.subject.rfc4514_string() == "CN=device-1"
    assert above == [
        service.issuers.authority(POLICY).certificate,
        service.issuers.root(POLICY).certificate,
    ]
    for ca in above:
        key = ca.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP384R1)


def test_each_registration_has_a_certificate_of_its_own() -> None:
    """The CAs stay what they are, over a restart too."""
    store = DictStore()
    first = issued(instance(enrolled(), store=store))
    second = issued(instance(enrolled(), store=store))

    assert first[0] != second[0]
    assert first[1:] == second[1:]


def test_namespaces_and_policies() -> None:
    """The policies of a namespace have one root; casing does not count."""
    issuers = Issuers()
    other = replace(POLICY, name="other")
    elsewhere = replace(POLICY, namespace="elsewhere")

    assert issuers.authority(POLICY) is issuers.authority(replace(POLICY, name="Thirty-Days"))
    assert issuers.authority(POLICY) is not issuers.authority(other)
    assert issuers.root(POLICY) is issuers.root(other)
    assert issuers.root(POLICY) is not issuers.root(elsewhere)


@pytest.mark.parametrize("name", ["n" * 128, "ä é/\t"])
def test_names_that_fit_into_no_cn(name: str) -> None:
    """The preview's names of policies are nearly free."""
    request = read_csr(csr(), registration_id="device-1")

    assert Issuers().issue(request, registration_id="device-1", policy=IssuancePolicy(name=name))


def test_validity() -> None:
    """As many days as the instance says."""
    request = read_csr(csr(), registration_id="device-1")
    (text, *_) = Issuers(days=7).issue(request, registration_id="device-1", policy=POLICY)
    (leaf, *_) = chain({"registrationState": {"issuedCertificateChain": [text]}})

    left = leaf.not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=6.9) < left <= dt.timedelta(days=7)


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_validity_out_of_range(days: float) -> None:
    """It is refused before anything is issued."""
    with pytest.raises(ConfigurationError, match="issued_days"):
        Issuers(days=days)


def test_it_is_told_to_polls_alone() -> None:
    """No look-up has it, and neither has a version that does not know it."""
    service = instance(enrolled())
    accepted = register(service, DEVICE, **ASKING)
    old = poll(service, DEVICE, accepted, api_version="2021-10-01")
    state = ask(service, Operation.STATUS_LOOKUP, DEVICE, api_version="2026-11-01").body

    for body in (accepted.body, old.body["registrationState"], state):
        assert "issuedCertificateChain" not in body

    assert chain(poll(service, DEVICE, accepted, api_version="2026-11-15-preview").body)


def test_the_latest_csr_counts() -> None:
    """A device that registers again before the webhook has chosen may have a new key."""
    service = instance(custom(issuance=POLICY), linked_hubs=(NEW,))
    register(service, BY_KEY, **{**ASKING, "body": b"{}"})
    accepted = register(service, BY_KEY, **ASKING)
    answer(service)

    leaf, *_ = chain(poll(service, BY_KEY, accepted, api_version="2026-11-01").body)
    assert leaf.public_key() == device_key().public_key()


def test_no_policy() -> None:
    """The device is assigned all the same, without a certificate."""
    state = provision(instance(enrolled(None)), DEVICE, **ASKING).body["registrationState"]

    assert state["assignedHub"] == HUB
    assert "issuedCertificateChain" not in state


@pytest.mark.parametrize(
    ("service", "status"),
    [
        (instance(enrolled(enabled=False)), "disabled"),
        (instance(enrolled(), linked_hubs=()), "failed"),
    ],
)
def test_not_assigned(service: Service, status: str) -> None:
    """Whoever is not assigned gets no certificate."""
    body = provision(service, DEVICE, **ASKING).body

    assert body["status"] == status
    assert "issuedCertificateChain" not in body["registrationState"]


def test_an_old_version_does_not_know_it() -> None:
    """In the words that the service has for that."""
    answer = provision(instance(enrolled()), DEVICE, api_version="2021-10-01", body=BODY)

    assert refused(answer) == (400, 400012, "Deserialization error")


def test_a_look_up_has_no_csr() -> None:
    """Nothing is issued there."""
    answer = ask(instance(enrolled()), Operation.STATUS_LOOKUP, DEVICE, **ASKING, now=NOW)

    assert refused(answer) == (400, 400012, "Deserialization error")
