"""Registration records as such: what they say, and how they are written down."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.service.registrations.custom_allocation import WebhookCall
from aiodps.emulator.service.registrations.hub_devices import AssignmentTerms, HubDevice
from aiodps.emulator.service.registrations.record import (
    KEPT_OPERATIONS,
    Outcome,
    Proof,
    RegistrationOperation,
    RegistrationRecord,
)
from aiodps.models import RegistrationStatus, Substatus

TEXT = st.text(max_size=8)
OBJECTS = st.dictionaries(TEXT, TEXT | st.integers() | st.booleans(), max_size=3)
MOMENTS = st.floats(min_value=0, max_value=2**33)
PLACES = st.builds(HubDevice, hub=TEXT, device_id=TEXT)
OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(RegistrationStatus),
    hub_device=st.none() | PLACES,
    substatus=st.none() | st.sampled_from(Substatus),
    payload=st.none() | OBJECTS,
    error_code=st.none() | st.integers(),
    error_message=st.none() | TEXT,
)
CALLS = st.builds(
    WebhookCall,
    registration_id=TEXT,
    url=TEXT,
    request=OBJECTS,
    terms=st.builds(
        AssignmentTerms, device_id=TEXT, migrate=st.booleans(), initial_twin=st.none() | OBJECTS
    ),
)
OPERATIONS = st.builds(
    RegistrationOperation,
    operation_id=TEXT,
    proof=st.sampled_from(Proof),
    enrollment_group_id=st.none() | TEXT,
    created=MOMENTS,
    finished=MOMENTS,
    etag=TEXT,
    outcome=st.none() | OUTCOMES,
    call=st.none() | CALLS,
    issued=st.just(()) | st.tuples(TEXT, TEXT),
)
BARE_OPERATIONS = st.builds(
    RegistrationOperation,
    operation_id=TEXT,
    proof=st.sampled_from(Proof),
    enrollment_group_id=st.none(),
    created=st.just(0.0),
    finished=st.just(0.0),
    etag=TEXT,
    outcome=st.none(),
    call=st.none(),
)
RECORDS = st.builds(
    RegistrationRecord,
    registration_id=TEXT,
    created=MOMENTS,
    last_assignment=st.none() | PLACES,
    operations=st.lists(OPERATIONS, max_size=4).map(tuple),
)


@given(record=RECORDS)
def test_written_and_read(record: RegistrationRecord) -> None:
    """A store gives back what it got, through JSON."""
    text = json.dumps(record.to_json())

    assert RegistrationRecord.from_json(json.loads(text)) == record


@given(operations=st.lists(BARE_OPERATIONS, max_size=12, unique_by=lambda each: each.operation_id))
def test_the_last_few_operations_are_kept(operations: list[RegistrationOperation]) -> None:
    """In their order; putting one again changes nothing but itself."""
    record = RegistrationRecord(registration_id="d", created=0.0)
    for each in operations:
        record = record.with_operation(each, now=0.0)

    assert record.operations == tuple(operations[-KEPT_OPERATIONS:])
    for each in record.operations:
        newer = replace(each, etag="new")
        found = record.with_operation(newer, now=0.0)
        assert found.find(each.operation_id) == newer
        assert len(found.operations) == len(record.operations)


def test_the_etag_of_a_record() -> None:
    """It is that of its latest operation."""
    record = RegistrationRecord(registration_id="d", created=0.0)

    assert record.etag == ""
