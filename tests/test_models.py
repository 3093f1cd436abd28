"""The vocabulary is the service's, and an assignment can be shown to anybody."""

from __future__ import annotations

from aiodps.models import Assignment, Phase, RegistrationStatus, Substatus


def test_words_of_the_wire() -> None:
    """Status words are lower case, substatus words are camel case (REST reference)."""
    assert [str(status) for status in RegistrationStatus] == [
        "unassigned",
        "assigning",
        "assigned",
        "failed",
        "disabled",
    ]
    assert Substatus("deviceDataMigrated") is Substatus.DEVICE_DATA_MIGRATED
    assert Phase("dns") is Phase.DNS


def test_the_payload_is_not_shown() -> None:
    """What a webhook sends to a device may be secret: it is not in the repr."""
    assignment = Assignment(
        registration_id="dev-1",
        device_id="dev-1",
        assigned_hub="contoso.azure-devices.net",
        status=RegistrationStatus.ASSIGNED,
        payload={"wifi": "canary"},
        raw={"payload": "canary"},
        issued_certificate_chain=("canary",),
        transport="rest",
    )

    assert "canary" not in repr(assignment)
    assert "contoso" in repr(assignment)
