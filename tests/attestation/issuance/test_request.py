"""What the device asks for is well formed, and what is issued to it is a credential."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.certificates import intermediate, issue, root
from tests.emulated import QUICK, emulator
from tests.emulated import client as client_of
from tests.sas_vectors import C_KEY

import aiodps
from aiodps import KeySpec, errors
from aiodps.attestation.issuance.key_spec import IssuedKeyType
from aiodps.attestation.issuance.request import CertificateRequest
from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.service.enrollments.mechanisms import SymmetricKeys
from aiodps.emulator.service.enrollments.store import EnrollmentGroup, IndividualEnrollment

pytestmark = pytest.mark.anyio
QUIET = pytest.mark.parametrize("anyio_backend", ["asyncio"])
KEY = ec.generate_private_key(ec.SECP256R1())


def csr(name: str, *, pad: int = 0) -> x509.CertificateSigningRequest:
    """Make a request, longer if it is padded."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if pad:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(pad))
        builder = builder.add_extension(extension, critical=False)

    return builder.sign(KEY, hashes.SHA256())


def der(name: str = "dev-1", *, pad: int = 0) -> bytes:
    """Make a request in DER."""
    return csr(name, pad=pad).public_bytes(Encoding.DER)


def text(data: bytes) -> str:
    """Write bytes in base64."""
    return base64.b64encode(data).decode()


@QUIET
@pytest.mark.parametrize(
    ("spec", "kind", "size"),
    [
        ("p256", ec.EllipticCurvePrivateKey, 256),
        ("p384", ec.EllipticCurvePrivateKey, 384),
        ("rsa2048", rsa.RSAPrivateKey, 2048),
    ],
)
async def test_a_new_request(spec: IssuedKeyType, kind: type, size: int) -> None:
    """A key of its own, the registration id as CN, signed, in one line of base64."""
    request = await CertificateRequest.generate(KeySpec(spec), "dev-1")
    made = x509.load_der_x509_csr(base64.b64decode(request.csr, validate=True))

    assert isinstance(request.key, kind)
    assert request.key.key_size == size  # type: ignore[union-attr]  # it is a key
    assert made.is_signature_valid
    assert made.subject.rfc4514_string() == "CN=dev-1"


@QUIET
async def test_an_id_that_is_too_long_for_a_cn() -> None:
    """It is said before a key is made."""
    with pytest.raises(errors.ConfigurationError, match="65 characters") as caught:
        await CertificateRequest.generate(KeySpec(), "d" * 65)

    assert caught.value.setting == "registration_id"
    with pytest.raises(errors.ConfigurationError, match="65 characters"):
        CertificateRequest.given(der(), "d" * 65)


@pytest.mark.parametrize("given", [der(), text(der()), text(der("DEV-1"))])
def test_a_request_of_the_caller(given: object) -> None:
    """DER or base64 of DER; the case of the CN does not count."""
    request = CertificateRequest.given(given, "dev-1")

    assert request.key is None
    assert base64.b64decode(request.csr)[:1] == b"\x30"


PEM = csr("dev-1").public_bytes(Encoding.PEM)
NO_NAME = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
BAD_REQUESTS = {
    "another CN": (text(der("dev-2")), "has the CN 'dev-2', not 'dev-1'"),
    "no CN": (NO_NAME.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER), "CN ''"),
    "PEM": (PEM.decode(), "is PEM"),
    "PEM in bytes": (PEM, "is PEM"),
    "base64 of PEM": (text(PEM), "is base64 of PEM"),
    "lines": (base64.encodebytes(der()).decode(), "not base64 in one line"),
    "not ASCII": ("schlüssel", "not base64 in one line"),
    "empty": ("", "not a PKCS#10"),
    "a certificate": (root().certificate.public_bytes(Encoding.DER), "not a PKCS#10"),
    "too long": (der(pad=6200), "the maximum is 8192"),
    "a signature that is wrong": (der()[:-4] + b"abcd", "not signed with the key"),
    "a number": (7, "cannot be of type 'int'"),
}


@pytest.mark.parametrize(("given", "fault"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_request_that_cannot_be_sent(given: object, fault: str) -> None:
    """K34, K35, K36: what is wrong is said before anything is sent."""
    with pytest.raises(errors.ConfigurationError) as caught:
        CertificateRequest.given(given, "dev-1")

    assert fault in caught.value.message
    assert caught.value.setting == "csr"


def test_letters_that_look_alike() -> None:
    """The Kelvin sign is a small k to Unicode, and another letter to the service."""
    with pytest.raises(errors.ConfigurationError, match="has the CN"):
        CertificateRequest.given(der("dev-\N{KELVIN SIGN}"), "dev-k")


Answer = Callable[[httpx.Request], list[str]]


def service(asked: list[httpx.Request], answer: Answer) -> aiodps.REST:
    """Make a service that assigns at once, with the chain that it answers."""

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        state = {
            "registrationId": "dev-1",
            "deviceId": "press-4",
            "assignedHub": "hub.azure-devices.net",
            "issuedCertificateChain": answer(request),
        }
        body = {"operationId": "op", "status": "assigned", "registrationState": state}
        return httpx.Response(200, json=body)

    return aiodps.REST(http_transport=httpx.MockTransport(respond))


def issues(request: httpx.Request) -> list[str]:
    """Issue what is asked for."""
    return issue(json.loads(request.content)["csr"])


def client(transport: aiodps.REST, **settings: object) -> aiodps.ProvisioningClient:
    """Make a client of a service."""
    return aiodps.ProvisioningClient(
        id_scope="0ne00000000",
        transport=transport,
        retry=QUICK,
        **settings,  # type: ignore[arg-type]  # names of settings
    )


DEVICE = aiodps.SymmetricKey(registration_id="dev-1", key=text(bytes(32)))


async def test_a_certificate_is_issued() -> None:
    """A key is made, the version is chosen, and what comes is a credential."""
    asked: list[httpx.Request] = []
    assignment = await client(service(asked, issues)).provision(
        attestation=DEVICE, issue=KeySpec()
    )

    assert [each.url.params["api-version"] for each in asked] == ["2026-11-01"]
    assert assignment.issued is not None
    assert assignment.issued.registration_id == "dev-1"
    x509_ = aiodps.X509.from_issued(assignment.issued)
    assert [each.subject.rfc4514_string() for each in x509_.chain] == [
        "CN=dev-1",
        intermediate().certificate.subject.rfc4514_string(),
    ]


@QUIET
async def test_the_setting_asks_for_a_certificate() -> None:
    """As a word, as in the environment and in a file."""
    asked: list[httpx.Request] = []
    assignment = await client(service(asked, issues), issue="p384").provision(attestation=DEVICE)

    assert assignment.issued is not None
    assert assignment.issued.key is not None
    assert assignment.issued.key.key_size == 384


@QUIET
async def test_an_issued_credential_authenticates() -> None:
    """It may be given as it is, alone or in order; the service sees the same registration id."""
    issued = (
        await client(service([], issues)).provision(attestation=DEVICE, issue=KeySpec())
    ).issued
    assert issued is not None
    again = client(service([], lambda _: []))

    assert (await again.provision(attestation=issued)).registration_id == "dev-1"
    assert (await again.provision(attestation=[issued, DEVICE])).issued is None
    with pytest.raises(errors.PrivateKeyError, match="does not belong to the issued cert"):
        aiodps.X509.from_issued(dataclasses.replace(issued, key=await KeySpec().generate()))


@QUIET
async def test_the_key_of_the_caller() -> None:
    """The chain alone is here, and it is no credential without the key."""
    assignment = await client(service([], issues)).provision(attestation=DEVICE, csr=der())
    issued = assignment.issued

    assert issued is not None
    assert issued.key is None
    assert issued.chain[0].public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ) == KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(errors.PrivateKeyError) as caught:
        await client(service([], issues)).provision(attestation=issued)

    assert caught.value.reason == "no_key"


@QUIET
async def test_nothing_issued() -> None:
    """J26: an error of its own, which says where it happened and what is assigned."""
    asked: list[httpx.Request] = []
    with pytest.raises(errors.IssuanceError) as caught:
        await client(service(asked, lambda _: [])).provision(attestation=DEVICE, issue=KeySpec())

    error = caught.value
    assert (error.reason, error.device_id, error.attempts) == ("missing", "press-4", 1)
    assert (error.phase, error.transport) == (aiodps.Phase.REGISTER, "rest")
    assert error.registration_id == "dev-1"
    assert len(asked) == 1


BAD_CALLS = {
    "an api-version without it": ({"issue": KeySpec()}, "2021-10-01", "api_version"),
    "two ways": ({"issue": KeySpec(), "csr": der()}, None, "csr"),
    "an operation of before": ({"issue": KeySpec(), "operation_id": "op"}, None, "operation_id"),
    "no KeySpec": ({"issue": "p256"}, None, "issue"),
    "another device's request": ({"csr": der("dev-2")}, None, "csr"),
}


@QUIET
@pytest.mark.parametrize(("call", "version", "setting"), BAD_CALLS.values(), ids=BAD_CALLS)
async def test_what_contradicts_itself(
    call: dict[str, object], version: str | None, setting: str
) -> None:
    """Nothing is sent."""
    asked: list[httpx.Request] = []
    transport = dataclasses.replace(service(asked, issues), api_version=version)
    with pytest.raises(errors.ConfigurationError) as caught:
        await client(transport).provision(attestation=DEVICE, **call)  # type: ignore[arg-type]

    assert caught.value.setting == setting
    assert asked == []


@QUIET
async def test_the_callers_request_survives_a_restart() -> None:
    """With a key of its own, a device can poll an operation of before."""
    polls: list[httpx.Request] = []
    assignment = await client(service(polls, lambda _: issue(text(der())))).provision(
        attestation=DEVICE, csr=der(), operation_id="op"
    )

    assert assignment.issued is not None
    assert [each.method for each in polls] == ["GET"]


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("transport", "anyio_backend"), [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")]
)
async def test_an_issued_certificate_lets_the_device_in(transport: str) -> None:
    """A key of its own, known to a group of the CA that issued the certificate."""
    policy = IssuancePolicy(namespace="factory", certificate_authority="line-4", name="month")
    key = aiodps.SymmetricKey(registration_id="lamp-7", key=C_KEY)
    enrolled = IndividualEnrollment(
        registration_id="lamp-7", attestation=SymmetricKeys(primary=C_KEY), issuance=policy
    )
    async with emulator() as dps:
        dps.service.enrollments.put(enrolled)
        with_issue = client_of(dps, transport, issue=aiodps.KeySpec())
        issued = (await with_issue.provision(attestation=key)).issued
        assert issued is not None
        *_, ca, top = issued.chain
        dps.service.certificates.upload("issued", top, verified=True, now=0.0)
        group = EnrollmentGroup.signed_by(ca, enrollment_group_id="issued")
        dps.service.enrollments.remove(enrolled)
        dps.service.enrollments.put(group)
        assignment = await client_of(dps, transport).provision(attestation=issued)

    assert assignment.enrollment_group_id == "issued"
