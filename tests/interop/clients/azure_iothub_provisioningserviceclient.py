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


def story() -> dict[str, Any]:
    """Go through what an administrator does."""
    client = connect(CONNECTION_STRING)
    seen: dict[str, Any] = {}

    # An individual enrollment whose keys the service makes
    client.create_or_update(new("one"))
    made = client.get_individual_enrollment("one")
    mechanism = client.get_individual_enrollment_attestation_mechanism("one")
    keys = made.attestation.symmetric_key
    seen["made"] = made.provisioning_status
    seen["key in a plain read"] = bool(keys and keys.primary_key)
    seen["length of its key"] = len(mechanism.symmetric_key.primary_key)

    # Changed by two, one of whom is late
    made.provisioning_status = "disabled"
    seen["changed"] = client.create_or_update(made).provisioning_status
    seen["changed too late"] = status(lambda: client.create_or_update(made))

    # A group
    certificate = Path(os.environ["DPS_GROUP_CERTIFICATE_FILE"]).read_text()
    attestation = AttestationMechanism.create_with_x509_signing_certs(certificate)
    group = client.create_or_update(EnrollmentGroup.create("a-group", attestation))
    signing = group.attestation.x509.signing_certificates
    seen["subject of the group"] = signing.primary.info.subject_name

    # Many at once, and page by page
    many = [new("two"), new("three")]
    seen["bulk"] = client.run_bulk_operation(BulkEnrollmentOperation("create", many)).is_successful
    everything = QuerySpecification("SELECT * FROM enrollments")
    found = list(client.create_individual_enrollment_query(everything, 2))
    seen["pages"] = sorted(len(page) for page in found)
    seen["enrollments"] = sorted(each.registration_id for page in found for each in page)

    # What became of a device of the group `root`
    name = os.environ["DPS_REGISTRATION_ID"]
    seen["device"] = client.get_registration_state(name).status
    # create_registration_state_query raises a TypeError of its own, before anything is sent
    states = client._runtime_client.query_device_registration_states("root")
    seen["devices of its group"] = [each.registration_id for each in states]
    client.delete_registration_state_by_param(name)
    seen["device deleted"] = status(lambda: client.get_registration_state(name))

    # And away
    client.delete_individual_enrollment_by_param("one")
    seen["deleted"] = status(lambda: client.get_individual_enrollment("one"))
    client.delete(group)
    seen["group deleted"] = status(lambda: client.get_enrollment_group("a-group"))
    client.run_bulk_operation(BulkEnrollmentOperation("delete", many))

    head = CONNECTION_STRING.partition("SharedAccessKey=")[0]
    stranger = connect(f"{head}SharedAccessKey=c3RyYW5nZXI=")
    seen["wrong key"] = status(lambda: stranger.get_individual_enrollment("one"))
    return seen


if __name__ == "__main__":
    print(json.dumps(story()))  # noqa: T201 (its answer)
