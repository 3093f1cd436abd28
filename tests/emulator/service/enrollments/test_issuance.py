"""The certificate policy of an enrollment."""

from __future__ import annotations

from typing import Any

import pytest
from tests.emulator.administrator import KEYS

from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.errors import ConfigurationError

NAMES = {
    "namespaceName": "my-namespace",
    "certificateAuthorityName": "CA-1",
    "certificatePolicyName": "x" * 63,
}
ENROLLMENT = {"registrationId": "a", "attestation": KEYS}


@pytest.mark.parametrize(
    ("members", "policy"),
    [
        ({}, None),
        (
            NAMES,
            IssuancePolicy(name="x" * 63, namespace="my-namespace", certificate_authority="CA-1"),
        ),
        ({"credentialPolicyName": "of 2025"}, IssuancePolicy(name="of 2025")),
    ],
)
def test_members(members: dict[str, Any], policy: IssuancePolicy | None) -> None:
    """They are read, written back, and are nothing else."""
    enrollment = read_enrollment(ENROLLMENT | members, source="it")

    assert enrollment.issuance == policy
    assert enrollment.others == {}
    assert members.items() <= enrollment.to_json().items()


@pytest.mark.parametrize(
    "members",
    [
        {"namespaceName": "my-namespace"},
        {name: text for name, text in NAMES.items() if name != "certificateAuthorityName"},
        NAMES | {"credentialPolicyName": "old"},
    ],
)
def test_names_that_do_not_belong_together(members: dict[str, Any]) -> None:
    """The message says what does."""
    with pytest.raises(ConfigurationError, match="a policy is namespaceName, certificateA"):
        read_enrollment(ENROLLMENT | members, source="it")


@pytest.mark.parametrize("name", ["x" * 129, "\x1b[2J"], ids=["too long", "a control character"])
def test_names_of_previews(name: str) -> None:
    """Their rule is another one, and said."""
    [problem] = IssuancePolicy(name=name).problems()

    assert problem.startswith("credentialPolicyName is not 1 to 128 characters")
