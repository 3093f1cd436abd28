"""Administers enrollments with Microsoft's azure-iothub-provisioningserviceclient.

    python azure_iothub_provisioningserviceclient.py

What it needs is in the variables DPS_*; it prints one line of JSON: what it saw at each step.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from provisioningserviceclient import (  # type: ignore[import-not-found]
    BulkEnrollmentOperation,
    ProvisioningServiceClient,
    ProvisioningServiceError,
    QuerySpecification,
)
from provisioningserviceclient.models import (  # type: ignore[import-not-found]
    AttestationMechanism,
    EnrollmentGroup,
    IndividualEnrollment,
)

CONNECTION_STRING = os.environ["DPS_CONNECTION_STRING"]


def connect(connection_string: str) -> Any:
    """Make a client; it has no option for a CA, nor one against trying again."""
    client = ProvisioningServiceClient.create_from_connection_string(connection_string)
    connection = client._runtime_client.config
    connection.connection.verify = os.environ["DPS_CA_FILE"]
    connection.retry_policy.retries = 0
    return client


def status(call: Any) -> int:
    """Return the status of a call that must fail."""
    try:
        call()
    except ProvisioningServiceError as error:
        return int(error.cause.response.status_code)

    return 200


def new(name: str) -> Any:
    """Write an enrollment whose keys the service makes."""
    return IndividualEnrollment.create(name, AttestationMechanism(type="symmetricKey"))


MANY = [new("two"), new("three")]


def one(client: Any) -> dict[str, Any]:
    """Make an enrollment, and have it changed by two, one of whom is late."""
    client.create_or_update(new("one"))
    made = client.get_individual_enrollment("one")
    mechanism = client.get_individual_enrollment_attestation_mechanism("one")
    keys, before = made.attestation.symmetric_key, made.provisioning_status
    made.provisioning_status = "disabled"
    return {
        "made": before,
        "key in a plain read": bool(keys and keys.primary_key),
        "length of its key": len(mechanism.symmetric_key.primary_key),
        "changed": client.create_or_update(made).provisioning_status,
        "changed too late": status(lambda: client.create_or_update(made)),
    }


def group(client: Any) -> dict[str, Any]:
    """Make a group."""
    certificate = Path(os.environ["DPS_GROUP_CERTIFICATE_FILE"]).read_text()
    attestation = AttestationMechanism.create_with_x509_signing_certs(certificate)
    made = client.create_or_update(EnrollmentGroup.create("a-group", attestation))
    info = made.attestation.x509.signing_certificates.primary.info
    return {"subject of the group": info.subject_name}


def many(client: Any) -> dict[str, Any]:
    """Make two at once, and read all page by page."""
    made = client.run_bulk_operation(BulkEnrollmentOperation("create", MANY))
    everything = QuerySpecification("SELECT * FROM enrollments")
    found = list(client.create_individual_enrollment_query(everything, 2))
    return {
        "bulk": made.is_successful,
        "pages": sorted(len(page) for page in found),
        "enrollments": sorted(each.registration_id for page in found for each in page),
    }


def device(client: Any) -> dict[str, Any]:
    """See what became of a device of the group `root`, and forget it."""
    name = os.environ["DPS_REGISTRATION_ID"]
    state = client.get_registration_state(name)
    # create_registration_state_query raises a TypeError of its own, before anything is sent
    found = client._runtime_client.query_device_registration_states("root")
    client.delete_registration_state_by_param(name)
    return {
        "device": state.status,
        "devices of its group": [each.registration_id for each in found],
        "device deleted": status(lambda: client.get_registration_state(name)),
    }


def away(client: Any) -> dict[str, Any]:
    """Delete everything."""
    client.delete_individual_enrollment_by_param("one")
    client.delete(client.get_enrollment_group("a-group"))
    client.run_bulk_operation(BulkEnrollmentOperation("delete", MANY))
    return {
        "deleted": status(lambda: client.get_individual_enrollment("one")),
        "group deleted": status(lambda: client.get_enrollment_group("a-group")),
    }


def story() -> dict[str, Any]:
    """Go through what an administrator does, and what a stranger cannot."""
    client = connect(CONNECTION_STRING)
    head = CONNECTION_STRING.partition("SharedAccessKey=")[0]
    stranger = connect(f"{head}SharedAccessKey=c3RyYW5nZXI=")
    seen: dict[str, Any] = {}
    for chapter in (one, group, many, device, away):
        seen |= chapter(client)

    seen["wrong key"] = status(lambda: stranger.get_individual_enrollment("one"))
    return seen


if __name__ == "__main__":
    print(json.dumps(story()))  # noqa: T201 (its answer)
