"""TPM attestation at the service: who is challenged, who is let in, and who is not."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Literal, TypeAlias

import pytest
from tests.emulator.instance import instance, poll, refused, register
from tests.emulator.tokens import DIALECTS, signed
from tests.software_tpms import software_tpm

from aiodps.emulator.protocol.messages import Identity, Transport
from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import CustomAllocation, IndividualEnrollment
from aiodps.emulator.service.enrollments.mechanisms import TpmKeys
from aiodps.emulator.service.service import Service
from aiodps.tpm import structures
from aiodps.tpm.software import SoftwareTpm

NOBODY = Identity()
Which: TypeAlias = Literal["own", "other"]


def encoded(key: bytes) -> str:
    """Write a key as JSON has it."""
    return base64.b64encode(key).decode()


def keys_of(tpm: SoftwareTpm) -> TpmKeys:
    """Return a TPM's public keys."""
    return TpmKeys(
        endorsement_key=encoded(tpm.endorsement_key),
        storage_root_key=encoded(tpm.storage_root_key),
    )


def enrolled(**more: Any) -> IndividualEnrollment:
    """Enrol a device by its TPM's endorsement key alone."""
    keys = TpmKeys(endorsement_key=keys_of(software_tpm()).endorsement_key)
    return IndividualEnrollment(registration_id="device-1", attestation=keys, **more)


def body(endorsement: Which = "own", storage_root: Which = "own") -> bytes:
    """Write the body of a device's register request."""
    tpm = {
        "endorsementKey": keys_of(software_tpm(endorsement)).endorsement_key,
        "storageRootKey": keys_of(software_tpm(storage_root)).storage_root_key,
    }
    return json.dumps({"registrationId": "device-1", "tpm": tpm}).encode()


def activated(service: Service, **more: str) -> Identity:
    """Have a TPM challenged; return a token that is signed with the key it was given."""
    tpm = software_tpm()
    response = register(service, NOBODY, body=body())
    asyncio.run(tpm.activate(base64.b64decode(response.body["authenticationKey"])))
    assert tpm._key is not None
    return signed(key=encoded(tpm._key), **more)


def test_the_dialogue() -> None:
    """A challenge in the words that clients of Microsoft's know, then an assignment, and a key."""
    service = instance(enrolled())
    challenged = register(service, NOBODY, body=body())
    identity = activated(service)
    accepted = register(service, identity, body=body())
    state = poll(service, identity, accepted).body["registrationState"]

    assert challenged.status_code == 401
    assert challenged.body == {
        "message": "Authorization required, resend request using supplied key",
        "authenticationKey": challenged.body["authenticationKey"],
        "unencryptedAuthenticationKey": None,
        "keyName": "registration",
    }
    assert accepted.status_code == 202
    assert state["status"] == "assigned"
    asyncio.run(software_tpm().activate(base64.b64decode(state["tpm"]["authenticationKey"])))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_dialects_of_other_clients(dialect: str) -> None:
    """The token of the second request is signed as it stands there."""
    service = instance(enrolled())

    assert register(service, activated(service, dialect=dialect), body=body()).status_code == 202


def test_another_tpm() -> None:
    """Its endorsement key is not the enrolled one: it is not even challenged."""
    response = register(instance(enrolled()), NOBODY, body=body("other", "other"))

    assert refused(response) == (401, 401002, "Unauthorized")
    assert response.why == "another endorsement key is enrolled"


def test_another_storage_root_key() -> None:
    """It is refused if one is enrolled; if not, the TPM cannot read the challenge."""
    both = IndividualEnrollment(registration_id="device-1", attestation=keys_of(software_tpm()))
    response = register(instance(both), NOBODY, body=body("own", "other"))
    challenged = register(instance(enrolled()), NOBODY, body=body("own", "other"))

    assert response.why == "another storage root key is enrolled"
    with pytest.raises(ValueError, match="integrity"):
        asyncio.run(
            software_tpm().activate(base64.b64decode(challenged.body["authenticationKey"]))
        )


def test_an_older_challenge() -> None:
    """Only the key of the latest one counts, and none counts twice as another device's."""
    service = instance(enrolled())
    older = activated(service)
    newer = activated(service)

    assert refused(register(service, older, body=body()))[0] == 401
    assert register(service, newer, body=body()).status_code == 202
    assert refused(register(instance(enrolled()), newer, body=body()))[0] == 401


def test_another_tpm_is_enrolled_meanwhile() -> None:
    """The key of the former one's challenge counts no more, whether the request has keys or not."""
    service = instance(enrolled())
    identity = activated(service)
    accepted = register(service, identity, body=body())
    service.enrollments.put(
        IndividualEnrollment(
            registration_id="device-1", attestation=TpmKeys(endorsement_key=encoded(b"another"))
        )
    )

    assert refused(poll(service, identity, accepted))[0] == 401
    assert refused(register(service, identity, body=b"{}"))[0] == 401


@pytest.mark.parametrize(
    "tpm",
    [
        {},
        {"endorsementKey": "not base64!"},
        {"endorsementKey": "AAAA", "storageRootKey": "?"},
        "text",
        7,
    ],
)
def test_keys_that_are_none(tpm: object) -> None:
    """They are a bad request."""
    response = register(instance(enrolled()), NOBODY, body=json.dumps({"tpm": tpm}).encode())

    assert refused(response) == (400, 400004, "BadRequest")


def test_keys_that_are_missing() -> None:
    """No challenge without both keys, nor with one that is not a storage key."""
    service = instance(enrolled())
    alone = {"tpm": {"endorsementKey": keys_of(software_tpm()).endorsement_key}}
    odd = {"tpm": {**alone["tpm"], "storageRootKey": "AAAA"}}
    even = encoded(structures.storage_root_key(b"\xff" * 255 + b"\xfe"))
    for document in ({}, alone, odd, {"tpm": {**alone["tpm"], "storageRootKey": even}}):
        response = register(service, NOBODY, body=json.dumps(document).encode())

        assert refused(response) == (401, 401002, "Unauthorized")
        assert response.why


def test_nobody_enrolled_it() -> None:
    """404, as seen on the wire."""
    assert refused(register(instance(), NOBODY, body=body()))[:2] == (404, 404201)


def test_there_is_none_over_mqtt() -> None:
    """The dialogue needs an answer that MQTT does not have."""
    response = register(instance(enrolled()), NOBODY, body=body(), transport=Transport.MQTT)

    assert refused(response)[:2] == (400, 400012)


def test_a_webhook_is_told_the_keys() -> None:
    """What is public of them."""
    service = instance(
        enrolled(
            allocation=Allocation(policy=AllocationPolicy.CUSTOM),
            custom_allocation=CustomAllocation(
                webhook_url="https://example.org/", api_version="2021-10-01"
            ),
        )
    )
    register(service, activated(service), body=body())
    (call,) = service.registrar.take_calls()

    assert call.request["deviceRuntimeContext"]["tpm"] == {
        "endorsementKey": keys_of(software_tpm()).endorsement_key
    }
