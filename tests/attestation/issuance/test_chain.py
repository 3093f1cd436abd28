"""What the service issues is checked before it is believed."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.attestation.issuance.test_request import der, text
from tests.certificates import certify, encode, issue, other_root

from aiodps import errors
from aiodps.attestation.issuance.request import CertificateRequest
from aiodps.models import Assignment, RegistrationStatus


def assigned(chain: list[str]) -> Assignment:
    """Make the assignment that a chain comes with."""
    return Assignment(
        registration_id="dev-1",
        device_id="press-4",
        assigned_hub="hub.azure-devices.net",
        status=RegistrationStatus.ASSIGNED,
        issued_certificate_chain=tuple(chain),
        transport="rest",
    )


REQUEST = CertificateRequest.given(der(), "dev-1")
GOOD = issue(REQUEST.csr)


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(GOOD, id="with root"),
        pytest.param(GOOD[:2], id="without root"),
        pytest.param(issue(REQUEST.csr, name="DEV-1"), id="in capitals"),
        pytest.param(
            [text(x509.load_der_x509_certificate(base64.b64decode(each)).public_bytes(
                Encoding.PEM)) for each in GOOD],
            id="base64 of PEM",
        ),
    ],
)  # fmt: skip
def test_a_chain_that_is_right(chain: list[str]) -> None:
    """The root may be missing, and an element may be PEM."""
    issued = REQUEST.accept(assigned(chain))

    assert issued.registration_id.casefold() == "dev-1"
    assert len(issued.chain) == len(chain)


OTHER = certify("dev-1")
BAD_CHAINS = {
    "none": ([], "missing"),
    "too many": (GOOD * 4, "unreadable"),
    "not base64": (["?"], "unreadable"),
    "not a certificate": ([text(b"0\x03\x02\x01\x00")], "unreadable"),
    "another key": ([encode(OTHER.certificate), *GOOD[1:]], "key"),
    "another CN": (issue(REQUEST.csr, name="dev-2"), "cn"),
    "a link left out": ([GOOD[0], GOOD[2]], "chain"),
    "another root": ([*GOOD[:2], encode(other_root().certificate)], "chain"),
    "in the wrong order": ([GOOD[0], GOOD[2], GOOD[1]], "chain"),
}


@pytest.mark.parametrize(("chain", "reason"), BAD_CHAINS.values(), ids=BAD_CHAINS)
def test_a_chain_that_is_wrong(chain: list[str], reason: str) -> None:
    """J26, J27: it is not believed; where the device is assigned is said all the same."""
    with pytest.raises(errors.IssuanceError) as caught:
        REQUEST.accept(assigned(chain))

    assert caught.value.reason == reason
    assert caught.value.device_id == "press-4"
    assert caught.value.assigned_hub == "hub.azure-devices.net"
