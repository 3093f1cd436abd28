"""Versions of the device API: what each knows, and the shapes of the oldest and the newest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.emulator.instance import HUB, NOW, ask, instance, poll, provision, refused, register
from tests.emulator.service.issuance.requests import POLICY, csr
from tests.emulator.service.registrations.test_register import DEVICE, answer, custom, group
from tests.emulator.tokens import KEY, derived, signed

from aiodps.emulator.protocol.api_versions import API_VERSIONS
from aiodps.emulator.protocol.messages import Operation, Transport

OLD = ("2017-08-31-preview", "2017-11-15")
NEW = ("2026-11-02-preview", "2026-11-15-preview")


@pytest.mark.parametrize("version", sorted(API_VERSIONS))
def test_the_connection_profile(version: str) -> None:
    """Only the newest versions have it: a client of theirs fails at one it does not know."""
    service = instance(group())
    state = provision(service, DEVICE, api_version=version).body["registrationState"]
    looked_up = ask(service, Operation.STATUS_LOOKUP, DEVICE, api_version=version).body

    assert state.get("connectionProfile") == ("classic" if version in NEW else None)
    assert looked_up == state


@pytest.mark.parametrize("version", sorted(API_VERSIONS))
def test_old_statuses_over_mqtt(version: str) -> None:
    """The oldest versions say 200 to everything that goes well, and never how long to wait."""
    service = instance(group(), assign_after=9)
    options = {"api_version": version, "transport": Transport.MQTT}
    accepted = register(service, DEVICE, **options)
    early = poll(service, DEVICE, accepted, **options)
    late = poll(service, DEVICE, accepted, now=NOW + 9, **options)
    unknown = poll(service, signed(key=derived(KEY, "x")), accepted, **options)

    expected = (200, None) if version in OLD else (202, 3)
    assert (accepted.status_code, accepted.retry_after) == expected
    assert (early.status_code, early.retry_after, early.body["status"]) == (*expected, "assigning")
    assert (late.status_code, late.retry_after) == (200, None)
    assert unknown.status_code == 401


@pytest.mark.parametrize("version", OLD)
def test_old_statuses_over_https(version: str) -> None:
    """There, nothing like that was seen."""
    assert register(instance(group()), DEVICE, api_version=version).status_code == 202


@pytest.mark.parametrize("version", sorted(API_VERSIONS))
def test_payloads(version: str) -> None:
    """Old versions know none: the webhook hears none, and the device gets none."""
    service = instance(custom(), linked_hubs=(HUB,))
    body = b'{"payload": {"model": 7}}'
    accepted = register(service, DEVICE, api_version=version, body=body)
    call = answer(service, {"iotHubHostName": HUB, "payload": {"colour": "red"}})
    state = poll(service, DEVICE, accepted, api_version=version).body["registrationState"]

    known = version >= "2018-11-01"
    assert ("payload" in call.request["deviceRuntimeContext"]) == known
    assert ("payload" in state) == known
    assert state["status"] == "assigned"


@pytest.mark.parametrize("version", sorted(API_VERSIONS))
def test_certificates(version: str) -> None:
    """An old version refuses `csr`; a new one issues, and the others do not show it."""
    service = instance(replace(group(), issuance=POLICY))
    body = json.dumps({"csr": csr("device-1")}).encode()
    accepted = register(service, DEVICE, api_version=version, body=body)
    if version < "2025-07-01-preview":
        assert refused(accepted) == (400, 400012, "Deserialization error")
        return

    state = poll(service, DEVICE, accepted, api_version=version).body["registrationState"]
    assert len(state["issuedCertificateChain"]) == 3
