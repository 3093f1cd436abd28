"""What comes of registrations: policies, hubs that come and go, and webhooks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import self_signed
from tests.emulator.dict_store import DictStore
from tests.emulator.instance import NOW, instance, poll, provision, register, shown
from tests.emulator.tokens import KEY, derived, signed

from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import (
    CustomAllocation,
    EnrollmentGroup,
    IndividualEnrollment,
    ReprovisionPolicy,
)
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.registrations.custom_allocation import WebhookCall, WebhookReply
from aiodps.emulator.service.registrations.hub_devices import HubDevice
from aiodps.emulator.service.service import Service

OLD, NEW = "old.azure-devices.net", "new.azure-devices.net"
DEVICE = signed(key=derived(KEY, "device-1"))
WEBHOOK = CustomAllocation(webhook_url="https://example.org/", api_version="2021-10-01")
NEVER = ReprovisionPolicy(update_hub_assignment=False, migrate_device_data=False)
RESET = ReprovisionPolicy(update_hub_assignment=True, migrate_device_data=False)


def group(hub: str | None = None, **more: Any) -> EnrollmentGroup:
    """Enrol every device with a derived key."""
    return EnrollmentGroup(
        enrollment_group_id="keys",
        attestation=SymmetricKeys(primary=KEY),
        **{"allocation": Allocation(hub=hub), **more},
    )


def custom(**more: Any) -> EnrollmentGroup:
    """Let a webhook choose."""
    allocation = Allocation(policy=AllocationPolicy.CUSTOM)
    return group(**{"allocation": allocation, "custom_allocation": WEBHOOK, **more})


def state(service: Service, **more: Any) -> dict[str, Any]:
    """Provision the device."""
    found: dict[str, Any] = provision(service, DEVICE, **more).body["registrationState"]
    return found


def answer(service: Service, document: object = None, *, now: float = NOW) -> WebhookCall:
    """Answer the one call there is."""
    (call,) = service.registrar.take_calls()
    body = json.dumps(document or {"iotHubHostName": NEW}).encode()
    service.registrar.webhook_answered(call, WebhookReply(status_code=200, body=body), now=now)
    return call


@pytest.mark.parametrize(
    ("policy", "hub", "substatus", "twin"),
    [
        (ReprovisionPolicy(), NEW, "deviceDataMigrated", {"tags": {"n": 1}}),
        (RESET, NEW, "deviceDataReset", {"tags": {"n": 2}}),
        (NEVER, OLD, "reprovisionedToInitialAssignment", {"tags": {"n": 2}}),
    ],
    ids=["migrate", "reset", "never"],
)
def test_reprovision_policies(
    policy: ReprovisionPolicy, hub: str, substatus: str, twin: dict[str, Any]
) -> None:
    """An enrollment that names another hub moves its device, or does not."""
    service = instance(group(OLD, initial_twin={"tags": {"n": 1}}), linked_hubs=(OLD, NEW))
    first = state(service)
    service.enrollments.put(group(NEW, reprovision_policy=policy, initial_twin={"tags": {"n": 2}}))
    second = state(service)

    assert (first["assignedHub"], first["substatus"]) == (OLD, "initialAssignment")
    assert (second["assignedHub"], second["substatus"]) == (hub, substatus)
    assert dict(service.hub_devices) == {HubDevice(hub=hub, device_id="device-1"): twin}


def test_a_hub_that_is_unlinked_keeps_nobody() -> None:
    """Not even a device that never moves: there is nothing to stay at."""
    service = instance(group(reprovision_policy=NEVER), linked_hubs=(OLD,))
    state(service)
    service.linked_hubs.weights.clear()
    service.linked_hubs.append(NEW)

    assert state(service)["assignedHub"] == NEW


def test_a_deleted_record_begins_anew() -> None:
    """The device is still at its hub, but the service knows nothing of it any more."""
    service = instance(group())
    accepted = register(service, DEVICE)
    service.registrations.delete("device-1")
    forgotten = poll(service, DEVICE, accepted)

    assert (forgotten.status_code, forgotten.body["errorCode"]) == (404, 404203)
    assert state(service)["substatus"] == "initialAssignment"
    assert len(dict(service.hub_devices)) == 1


def test_the_device_keeps_its_spelling_at_the_hub() -> None:
    """Hubs tell casings apart, registration ids do not: one device is never two."""
    service = instance(group())
    state(service)
    again = signed("DEVICE-1", key=derived(KEY, "DEVICE-1"))
    second = provision(service, again, registration_id="DEVICE-1").body["registrationState"]

    assert (second["registrationId"], second["deviceId"]) == ("DEVICE-1", "device-1")


def test_a_webhook_is_asked() -> None:
    """The device is told to wait until the webhook has chosen; then it gets hub and payload."""
    service = instance(custom(), linked_hubs=(OLD, NEW))
    accepted = register(service, DEVICE, body=b'{"payload": {"model": 7}}')
    early = poll(service, DEVICE, accepted, now=NOW + 60)
    call = answer(service, {"iotHubHostName": NEW, "payload": {"colour": "red"}}, now=NOW + 60)
    late = poll(service, DEVICE, accepted, now=NOW + 60).body["registrationState"]

    assert (early.status_code, early.body["status"]) == (202, "assigning")
    assert (late["assignedHub"], late["payload"]) == (NEW, {"colour": "red"})
    assert (call.url, call.hubs) == ("https://example.org/", [OLD, NEW])
    assert call.request["deviceRuntimeContext"]["payload"] == {"model": 7}
    assert call.request["enrollmentGroup"]["attestation"] == {"type": "symmetricKey"}
    assert KEY not in json.dumps(call.request)


def test_a_webhook_hears_of_the_certificate() -> None:
    """What it says, in the eight members that Microsoft's clients insist on."""
    device = self_signed()
    enrollment = IndividualEnrollment(
        registration_id="device-1",
        attestation=IndividualEnrollment.x509(
            registration_id="device-1", certificate=device.certificate
        ).attestation,
        allocation=Allocation(policy=AllocationPolicy.CUSTOM),
        custom_allocation=WEBHOOK,
    )
    service = instance(enrollment)
    register(service, shown(device))
    (call,) = service.registrar.take_calls()

    assert len(call.request["deviceRuntimeContext"]["x509"]["certificateInfo"]) == 8
    assert "individualEnrollment" in call.request


def test_the_webhook_hears_where_the_device_is() -> None:
    """The second time it is told hub and device id; a twin that moves is kept as it is."""
    service = instance(custom(initial_twin={"tags": {"n": 1}}), linked_hubs=(OLD, NEW))
    for hub, twin in ((OLD, None), (NEW, {"tags": {"n": 9}})):
        accepted = register(service, DEVICE)
        call = answer(service, {"iotHubHostName": hub, "initialTwin": twin})

    moved = poll(service, DEVICE, accepted).body["registrationState"]
    assert call.request["deviceRuntimeContext"]["currentIotHubHostName"] == OLD
    assert call.request["deviceRuntimeContext"]["currentDeviceId"] == "device-1"
    assert moved["substatus"] == "deviceDataMigrated"
    assert dict(service.hub_devices) == {
        HubDevice(hub=NEW, device_id="device-1"): {"tags": {"n": 1}}
    }


def test_the_webhooks_twin_is_the_one_to_begin_with() -> None:
    """It takes the place of the enrollment's where a twin begins anew: first, or at a reset."""
    twin = {"tags": {"n": 1}}
    service = instance(custom(initial_twin=twin, reprovision_policy=RESET), linked_hubs=(OLD, NEW))
    for hub, number in ((OLD, 8), (NEW, 9)):
        accepted = register(service, DEVICE)
        answer(service, {"iotHubHostName": hub, "initialTwin": {"tags": {"n": number}}})

    moved = poll(service, DEVICE, accepted).body["registrationState"]
    assert moved["substatus"] == "deviceDataReset"
    assert dict(service.hub_devices) == {
        HubDevice(hub=NEW, device_id="device-1"): {"tags": {"n": 9}}
    }


def test_one_call_at_a_time() -> None:
    """Whoever registers again while the webhook thinks is told the same operation."""
    service = instance(custom(), linked_hubs=(NEW,))
    first, second = register(service, DEVICE), register(service, DEVICE)
    answer(service)
    third = register(service, DEVICE)

    assert first.body["operationId"] == second.body["operationId"]
    assert first.body["operationId"] != third.body["operationId"]
    assert len(service.registrar.take_calls()) == 1
    assert service.registrar.take_calls() == []


def test_a_webhook_that_fails() -> None:
    """The registration has failed, and the status says why (seen on the wire)."""
    service = instance(custom())
    accepted = register(service, DEVICE)
    (call,) = service.registrar.take_calls()
    service.registrar.webhook_answered(call, WebhookReply(status_code=500), now=NOW)
    failed = poll(service, DEVICE, accepted)

    assert (failed.status_code, failed.body["status"]) == (200, "failed")
    assert failed.body["registrationState"]["errorCode"] == 400207
    assert failed.body["registrationState"]["errorMessage"].endswith("status code: 500")


def test_no_hub_to_choose() -> None:
    """The registration has failed at once, and no webhook is called."""
    service = instance(custom(), linked_hubs=())

    assert state(service)["errorCode"] == 400207
    assert service.registrar.take_calls() == []


def test_a_device_that_cannot_be_assigned_anew_keeps_its_id() -> None:
    """It was assigned before; now its hub is no longer linked, and there is none to choose."""
    service = instance(group(), linked_hubs=(OLD,))
    before = state(service)
    service.linked_hubs.weights.clear()
    after = state(service)

    assert (before["status"], after["status"]) == ("assigned", "failed")
    assert after["deviceId"] == before["deviceId"]
    assert "assignedHub" not in after


def test_an_answer_that_comes_too_late() -> None:
    """A record that was deleted meanwhile stays deleted."""
    service = instance(custom(), linked_hubs=(NEW,))
    register(service, DEVICE)
    service.registrations.delete("device-1")
    answer(service)

    assert service.registrations.record("device-1") is None
    assert dict(service.hub_devices) == {}


def test_a_call_survives_a_restart() -> None:
    """Whoever waited before waits on, and the webhook is asked again."""
    store = DictStore()
    accepted = register(instance(custom(), linked_hubs=(NEW,), store=store), DEVICE)
    service = instance(custom(), linked_hubs=(NEW,), store=store)
    answer(service)

    assert poll(service, DEVICE, accepted).body["registrationState"]["assignedHub"] == NEW
    assert dict(instance(custom(), store=store).hub_devices) == dict(service.hub_devices)


def test_forgetting_devices() -> None:
    """Nothing is left of them: neither records nor devices at hubs, calls or limits."""
    service = instance(custom(), linked_hubs=(NEW,), throttle=True, strict=True)
    body = b'{"registrationId": "device-1"}'
    first = register(service, DEVICE, body=body)
    answer(service)
    register(service, DEVICE, body=body)
    service.forget_devices()

    assert not list(service.registrations.records())
    assert not list(service.hub_devices)
    assert not service.registrar.has_calls
    assert poll(service, DEVICE, first).body["errorCode"] == 404203
    assert register(service, DEVICE, body=body).status_code == 202


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([OLD, NEW]), st.sampled_from([NEVER, RESET, ReprovisionPolicy()])
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_laws_of_substatus(steps: list[tuple[str, ReprovisionPolicy]]) -> None:
    """The first is initial, a move is migrated or reset, and everything else is neither."""
    service, before = instance(linked_hubs=(OLD, NEW)), None
    for hub, policy in steps:
        service.enrollments.put(group(hub, reprovision_policy=policy))
        now = state(service)
        if before is None:
            assert (now["assignedHub"], now["substatus"]) == (hub, "initialAssignment")
        elif before == now["assignedHub"]:
            assert now["substatus"] == "reprovisionedToInitialAssignment"
            assert before == hub or policy is NEVER
        else:
            moved = "deviceDataReset" if policy is RESET else "deviceDataMigrated"
            assert (now["assignedHub"], now["substatus"]) == (hub, moved)
            assert policy is not NEVER

        before = now["assignedHub"]
        assert len(dict(service.hub_devices)) == 1
