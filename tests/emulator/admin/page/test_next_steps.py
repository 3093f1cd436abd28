"""What to do next: each refusal of the service, each outcome, each kind of enrollment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.certificates import expired, intermediate, other_root, root, self_signed
from tests.emulator.instance import NOW, SCOPE, instance, register, shown
from tests.emulator.tokens import KEY, OTHER_KEY, signed

from aiodps.emulator.admin.page.next_steps import NextSteps
from aiodps.emulator.admin.page.refusals import NextStep
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.protocol.messages import Identity, Operation, Request, Transport
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.emulator.service.registrations.record import Outcome
from aiodps.emulator.service.service import Service
from aiodps.models import RegistrationStatus

FACTS = {"host": "127.0.0.1", "https_port": 8443}
LAMP = self_signed("device-1")
BY_CERTIFICATE = IndividualEnrollment.x509(
    registration_id="device-1", certificate=LAMP.certificate
)
BY_KEY = read_enrollment(
    {
        "registrationId": "device-1",
        "attestation": {"type": "symmetricKey", "symmetricKey": {"primaryKey": KEY}},
    },
    source="",
)
GROUP = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="line")
TPM = json.dumps({"tpm": {"endorsementKey": "QUJD"}}).encode()
ADD = "/enrollments/new?id=device-1"
EDIT = "/enrollments/device-1/edit"


def refused(service: Service, identity: Identity, **changed: object) -> Exchange:
    """Have a device refused; return what the request log says of it."""
    noted: list[Exchange] = []
    request = Request(
        operation=Operation.REGISTER,
        id_scope=SCOPE,
        registration_id="device-1",
        api_version="2019-03-31",
        operation_id=None,
        body=b"",
        transport=Transport.HTTPS,
    )
    dispatcher = Dispatcher(service, noted.append)
    request = replace(request, **changed)  # type: ignore[arg-type]
    dispatcher.handle_device(request, identity=identity, transport="https")
    assert noted[0].status_code >= 400
    return noted[0]


def of(service: Service, latest: Exchange | None, *, name: str = "device-1") -> NextStep:
    """Ask what to do about a device that is not registered."""
    return NextSteps(service, FACTS).of_device(name, latest, None, registered=False)


@pytest.mark.parametrize(
    ("service", "identity", "changed", "words", "path"),
    [
        (lambda: instance(GROUP, unverified=[root()]), shown(root().device("device-1")), {},
         "Prove that you have the key of its CA", "/certificates"),
        (lambda: instance(GROUP), shown(LAMP), {},
         "Its chain ends in a CA that this instance does not know", "/certificates"),
        (instance, shown(root().device("device-1")), {},
         "No enrollment matches: the CA", ADD),
        (lambda: instance(verified=[root()]), shown(root().device("device-1")), {},
         "No enrollment matches. Add a group", ADD),
        (lambda: instance(BY_CERTIFICATE), Identity(), {},
         "neither a certificate nor a signature", "/enrollments/device-1"),
        (instance, shown(self_signed("other")), {},
         "The common name of its certificate must be the registration id", ""),
        (lambda: instance(BY_CERTIFICATE), shown(self_signed("device-1", names=["a"])), {},
         "Enroll this one as the secondary", EDIT),
        (instance, shown(expired()), {}, "has expired, or is not valid yet", ""),
        (instance, signed(), {}, "No enrollment matches. Derive", ADD),
        (lambda: instance(BY_KEY), signed(key=OTHER_KEY), {}, "signs with another key", EDIT),
        (lambda: instance(BY_KEY), shown(LAMP), {}, "did not sign", "/enrollments/device-1"),
        (lambda: instance(BY_KEY), signed(expiry=1), {}, "Its signature has expired", ""),
        (lambda: instance(BY_KEY), signed("device-2"), {}, "It signed for another", ""),
        (instance, Identity(), {"body": TPM}, "with the TPM's endorsement key", ADD),
        (instance, Identity(), {"id_scope": "0ne1"}, f"The id scope of this one is {SCOPE}", ""),
        (instance, Identity(), {"api_version": "2000-01-01"}, "must name an api-version", ""),
    ],
)  # fmt: skip
def test_a_refused_device(
    service: Callable[[], Service],
    identity: Identity,
    changed: dict[str, object],
    words: str,
    path: str,
) -> None:
    """The service's own reason leads to what helps, and where."""
    instance_of = service()
    step = of(instance_of, refused(instance_of, identity, **changed))

    assert words in step.text
    assert step.path == path
    assert step.docs
    assert not step.done


def test_a_name_that_no_device_can_have() -> None:
    """It is never part of a command, and escaped in a path."""
    name = "$(reboot)/.."
    service = instance()
    step = of(service, refused(service, signed(), registration_id=name), name=name)

    assert "A registration id has up to 128 letters" in step.text
    assert step.command == ""
    assert of(service, None, name=name).command == ""
    unknown = Exchange(transport="https", what="register", status_code=401,
                       message="(no group has a CA of its chain)")  # fmt: skip
    assert of(service, unknown, name=name).path == "/enrollments/new?id=%24%28reboot%29%2F.."


def test_a_fault() -> None:
    """It is not the device's."""
    exchange = Exchange(transport="https", what="register", status_code=503, fault="busy")

    assert "A fault rule applied to its latest request: busy." in of(instance(), exchange).text


@pytest.mark.parametrize(
    ("outcome", "words", "path"),
    [
        (None, "It polls until it is assigned, 3 s after each answer", ""),
        (Outcome(status=RegistrationStatus.ASSIGNED), "It connects to its hub", ""),
        (
            Outcome(status=RegistrationStatus.DISABLED),
            "Its enrollment is disabled",
            "/enrollments/device-1",
        ),
        (Outcome(status=RegistrationStatus.FAILED, error_code=401001), "Link a hub", "/hubs"),
        (Outcome(status=RegistrationStatus.FAILED, error_code=400207), "The webhook gave", EDIT),
        (Outcome(status=RegistrationStatus.FAILED), "Let it register again", ""),
    ],
)
def test_a_registered_device(outcome: Outcome | None, words: str, path: str) -> None:
    """At each status."""
    steps = NextSteps(instance(BY_CERTIFICATE), FACTS)
    step = steps.of_device("device-1", None, outcome, registered=True)

    assert words in step.text
    assert step.path == path


@pytest.mark.parametrize(
    ("enrollment", "options"),
    [
        (BY_CERTIFICATE, "--cert certs/device-1_chain.pem --key certs/device-1_key.pem"),
        (BY_KEY, "--registration-id device-1 --symmetric-key-file device-1.key"),
        (
            read_enrollment(
                {
                    "registrationId": "device-1",
                    "attestation": {"type": "tpm", "tpm": {"endorsementKey": "QUJD"}},
                },
                source="",
            ),
            "--registration-id device-1 --tpm",
        ),
        (
            read_enrollment(
                {"enrollmentGroupId": "a line", "attestation": {"type": "symmetricKey"}},
                source="",
            ),
            "--registration-id DEVICE --group-key-file 'a line.key'",
        ),
    ],
)
def test_an_enrollment_without_devices(enrollment: Enrollment, options: str) -> None:
    """The command with its kind of credential; names are quoted."""
    step = NextSteps(instance(), FACTS).of_enrollment(enrollment, now=NOW)

    assert "No device has registered with it yet" in step.text
    assert f"--id-scope {SCOPE} \\\n  --endpoint 127.0.0.1 --port 8443" in step.command
    assert step.command.endswith(options)


@pytest.mark.parametrize(
    ("group", "service", "words"),
    [
        (GROUP, instance, "Neither its CA nor one above it is known"),
        (GROUP, lambda: instance(unverified=[root()]), "The CA certificate ca-0 is not verified"),
        (
            EnrollmentGroup.signed_by(intermediate().certificate, enrollment_group_id="line"),
            lambda: instance(unverified=[root()]),
            "The CA certificate ca-0 is not verified",
        ),
        (
            EnrollmentGroup.of_ca("ca-0", enrollment_group_id="line"),
            lambda: instance(unverified=[other_root()]),
            "The CA certificate ca-0 is not verified",
        ),
        (
            EnrollmentGroup.of_ca("my-root", enrollment_group_id="line"),
            instance,
            "No CA certificate of this instance is called my-root",
        ),
        (replace(GROUP, enabled=False), instance, "It is disabled"),
        (GROUP, lambda: instance(verified=[root()]), "No device has registered with it yet"),
    ],
)
def test_what_a_group_needs(
    group: EnrollmentGroup, service: Callable[[], Service], words: str
) -> None:
    """A verified CA, or one above it; and to be enabled."""
    assert words in NextSteps(service(), FACTS).of_enrollment(group, now=NOW).text


def test_an_enrollment_with_devices() -> None:
    """A link to the registration of one, or to all."""
    service = instance(BY_CERTIFICATE, GROUP, verified=[root()])
    register(service, shown(LAMP))
    steps = NextSteps(service, FACTS)
    assert steps.of_enrollment(BY_CERTIFICATE, now=NOW).path == "/registrations/device-1/requests"

    for name in ("lamp-1", "lamp-2"):
        register(service, shown(root().device(name)), registration_id=name)

    step = steps.of_enrollment(GROUP, now=NOW)
    assert (step.text, step.path) == (
        "2 devices have registered, 2 are assigned.",
        "/registrations",
    )
    assert steps.enrollment_path("lamp-1") == "/groups/line"
    assert steps.enrollment_path("nobody") == ""


def test_a_device_that_is_not_assigned() -> None:
    """Its enrollment does not say that all is well."""
    service = instance(BY_CERTIFICATE, linked_hubs=())
    register(service, shown(LAMP))
    step = NextSteps(service, FACTS).of_enrollment(BY_CERTIFICATE, now=NOW)

    assert step.text == "Its device has registered and is not assigned."
    assert not step.done


def test_the_command() -> None:
    """To prove possession, to look up while it is assigning, and else to register."""
    service = instance(GROUP, unverified=[root()])
    coded = service.certificates.generate_verification_code("ca-0", now=NOW)
    step = of(service, refused(service, shown(root().device("device-1"))))
    assert str(coded.verification_code) in step.command

    steps = NextSteps(instance(BY_KEY), FACTS)
    assigning = steps.of_device("device-1", None, None, registered=True)
    assert assigning.command.startswith("aiodps status --id-scope")
    failed = Outcome(status=RegistrationStatus.FAILED)
    failure = steps.of_device("device-1", None, failed, registered=True)
    assert failure.command.startswith("aiodps provision --id-scope")
    assert failure.lead == "Then, where its credential is:"


def test_a_stranger_registers_with_what_it_has() -> None:
    """With its certificate or its key, when no enrollment says which."""
    service = instance()
    by_key = of(service, replace(refused(service, signed()), message=""))
    by_certificate = of(service, refused(service, shown(root().device("device-1"))))

    assert by_key.command.endswith("--symmetric-key-file device-1.key")
    assert by_certificate.command.endswith("--key certs/device-1_key.pem")


def test_a_ca_certificate() -> None:
    """Code, proof, done."""
    service = instance(unverified=[root()])
    steps, certificates = NextSteps(service, FACTS), service.certificates
    assert (
        "Generate a verification code first" in steps.of_certificate(certificates.get("ca-0")).text
    )

    coded = certificates.generate_verification_code("ca-0", now=NOW)
    assert str(coded.verification_code) in steps.of_certificate(coded).command
    assert steps.of_certificate(replace(coded, verified=True)).done
