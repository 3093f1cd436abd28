"""What to do next, at every state of a device, an enrollment or a CA certificate.

Text, and where it helps a command to copy and a link to where it is done.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from aiodps.emulator.admin.page.refusals import (
    ENROLLING,
    PROVE,
    NextStep,
    is_refused,
    of_failure,
    of_refusal,
)
from aiodps.emulator.admin.page.rendering import (
    CERTIFICATES,
    ENROLLMENTS,
    GROUPS,
    REGISTRATIONS,
)
from aiodps.emulator.protocol.formats import is_registration_id
from aiodps.emulator.protocol.x509 import is_signed_by
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.authentication.ca_certificates import CaCertificate
from aiodps.emulator.service.enrollments.enrollment import Enrollment, EnrollmentGroup
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
)
from aiodps.emulator.service.registrations.record import Outcome
from aiodps.emulator.service.service import Service
from aiodps.models import RegistrationStatus

_STATUS: Final = "status"
"""Command that looks a registration up, in place of one that registers."""


class NextSteps:
    """The next steps on one instance.

    Args:
        service: The instance.
        facts: As for the ready file.
    """

    def __init__(self, service: Service, facts: Mapping[str, Any]) -> None:
        self._service = service
        self._facts = facts

    def of_device(
        self, name: str, latest: Exchange | None, outcome: Outcome | None, *, registered: bool
    ) -> NextStep:
        """Say what the device does next, or what must be done for it.

        Args:
            name: Its registration id, which may be invalid.
            latest: Its latest request; None if it is not known any more.
            outcome: Of its latest registration; None while that is in progress.
            registered: Whether there is a registration.
        """
        enrollment = self._enrollment_of(name)
        if latest is not None and latest.fault is not None:
            text = f"A fault rule applied to its latest request: {latest.fault}."
            step = NextStep(text=text, docs="docs/emulator/faults.md")
        elif latest is not None and is_refused(latest):
            step = self._of_refusal(latest)
        elif not registered:
            step = NextStep(text="It is not registered. Let it register.", docs=ENROLLING)
        else:
            step = self._of_outcome(outcome)

        return self._filled(step, name, enrollment, latest)

    def of_enrollment(self, enrollment: Enrollment, *, now: float) -> NextStep:
        """Say what is missing before devices of this enrollment are assigned.

        Args:
            enrollment: As stored.
            now: Seconds since 1970.
        """
        if not enrollment.enabled:
            return NextStep(
                text="It is disabled: its devices get the status disabled and no hub. "
                "Enable it, and let them register again.",
                docs=ENROLLING,
            )

        missing = self._missing_ca(enrollment)
        if missing is not None:
            return missing

        if devices := self._devices_of(enrollment):
            return self._of_devices(devices, now=now)

        is_group = isinstance(enrollment, EnrollmentGroup)
        name = "DEVICE" if is_group else enrollment.id
        step = NextStep(
            text="No device has registered with it yet.", docs="docs/emulator/clients.md"
        )
        return self._filled(step, name, enrollment, None)

    def of_certificate(self, ca: CaCertificate) -> NextStep:
        """Say how possession of its key is proved."""
        if ca.verified:
            return NextStep(
                text="It is verified: groups of it, and of CAs below it, let devices in.",
                path=f"{GROUPS.path}/new",
                label="Add an enrollment group",
                done=True,
            )

        text = "It is not verified: devices of its groups are refused until it is."
        if ca.verification_code is None:
            return NextStep(text=f"{text} Generate a verification code first.", docs=ENROLLING)

        files = ("--ca", f"{ca.name}_cert.pem", "--key", f"{ca.name}_key.pem")
        command = _lines(
            ("aiodps", "certs", "verification"), files, ("--nonce", ca.verification_code)
        )
        return NextStep(
            text=f"{text} Sign the code with its key, and hand in verification_cert.pem below.",
            command=command,
            docs=ENROLLING,
        )

    def _of_devices(self, devices: Sequence[str], *, now: float) -> NextStep:
        hubs = [self._service.registrations.hub_device_of(each, now=now) for each in devices]
        assigned = len(hubs) - hubs.count(None)
        if len(devices) > 1:
            return NextStep(
                text=f"{len(devices):,} devices have registered, {assigned:,} are assigned.",
                path=REGISTRATIONS.path,
                label="Show the registrations",
                done=assigned == len(devices),
            )

        return NextStep(
            text=f"Its device has registered and is {'' if assigned else 'not '}assigned.",
            path=f"{REGISTRATIONS.path}/{quote(devices[0], safe='')}/requests",
            label="Show the registration",
            done=bool(assigned),
        )

    def _of_refusal(self, latest: Exchange) -> NextStep:
        """Say what to do about a refusal; a CA that waits for its proof has a command for it."""
        step = of_refusal(latest)
        if step is PROVE:
            message = latest.message or ""
            named = (ca for ca in self._service.certificates if f"{ca.name!a} is" in message)
            command = next((self.of_certificate(ca).command for ca in named), "")
            return replace(step, command=command)

        return step

    def _of_outcome(self, outcome: Outcome | None) -> NextStep:
        if outcome is None:
            wait = self._service.retry_after
            return NextStep(
                text=f"It polls until it is assigned, {wait} s after each answer. "
                "Nothing has to be done.",
                command=_STATUS,
                docs="docs/states.md",
                done=True,
            )

        match outcome.status:
            case RegistrationStatus.ASSIGNED:
                return NextStep(
                    text="It connects to its hub, with the host name and device id below.",
                    docs="docs/hub.md",
                    done=True,
                )
            case RegistrationStatus.DISABLED:
                return NextStep(
                    text="Its enrollment is disabled. Enable it, and let the device register "
                    "again.",
                    path="{enrollment}",
                    label="Show the enrollment",
                    docs=ENROLLING,
                )
            case _:
                return of_failure(outcome.error_code)

    def enrollment_path(self, name: str) -> str:
        """Return the path of a device's enrollment; "" if there is none."""
        enrollment = self._enrollment_of(name)
        return "" if enrollment is None else _path(enrollment)

    def _enrollment_of(self, name: str) -> Enrollment | None:
        """Return the enrollment of a device: its own, or that of its latest registration."""
        individual = self._service.enrollments.individual(name)
        if individual is not None:
            return individual

        group = self._service.registrations.group_of(name)
        return None if group is None else self._service.enrollments.group(group)

    def _devices_of(self, enrollment: Enrollment) -> Sequence[str]:
        registrations = self._service.registrations
        if isinstance(enrollment, EnrollmentGroup):
            return tuple(registrations.of_group(enrollment.id))

        latest = registrations.latest(enrollment.id)
        return () if latest is None or latest.enrollment_group_id else (enrollment.id,)

    def _missing_ca(self, enrollment: Enrollment) -> NextStep | None:
        """Say which CA must be verified first; None if none must."""
        match enrollment.attestation:
            case CaReferences(primary=primary, secondary=secondary):
                names = [name for name in (primary, secondary) if name]
                known = [ca for ca in self._service.certificates if _is_named(ca, names)]
                text = f"No CA certificate of this instance is called {' or '.join(names)}."
            case SigningCertificates() as pair:
                known = [ca for ca in self._service.certificates if _is_above(ca, pair)]
                text = "Neither its CA nor one above it is known to this instance."
            case _:
                return None

        if any(ca.verified for ca in known):
            return None

        if known:
            return replace(
                PROVE,
                text=f"The CA certificate {known[0].name} is not verified: "
                "devices are refused until it is.",
                command=self.of_certificate(known[0]).command,
            )

        return NextStep(
            text=f"{text} Upload the certificate and verify it; devices are refused until then.",
            path=CERTIFICATES.path,
            label="Upload a CA certificate",
            docs=ENROLLING,
        )

    def _filled(
        self, step: NextStep, name: str, enrollment: Enrollment | None, latest: Exchange | None
    ) -> NextStep:
        """Fill in names where they belong, and the command to register unless it has another.

        No command has a name that no device can have.
        """
        add = f"{ENROLLMENTS.path}/new?id={quote(name, safe='')}"
        path = step.path.replace("{new}", add)
        if "{enrollment}" in path:
            path = add if enrollment is None else path.replace("{enrollment}", _path(enrollment))

        step = replace(step, path=path, text=step.text.replace("{scope}", self._service.id_scope))
        if not is_registration_id(name):
            return replace(step, command="")

        if step.command not in ("", _STATUS):
            return replace(step, command=step.command.replace("{id}", shlex.quote(name)))

        lead = "To look it up" if step.command else "To register again" if step.done else "Then"
        return replace(
            step,
            lead=f"{lead}, where its credential is:",
            command=_lines(
                ("aiodps", step.command or "provision", "--id-scope", self._service.id_scope),
                ("--endpoint", self._facts["host"], "--port", str(self._facts["https_port"])),
                ("--transport", "rest", "--trust", "ca.pem"),
                _credential(name, enrollment, latest),
            ),
        )


def _is_above(ca: CaCertificate, pair: SigningCertificates) -> bool:
    """Whether a CA is enrolled, or has signed one that is."""
    enrolled = (each.certificate for each in (pair.primary, pair.secondary) if each is not None)
    return any(
        each is not None and (each == ca.certificate or is_signed_by(each, ca.certificate))
        for each in enrolled
    )


def _is_named(ca: CaCertificate, names: Sequence[str]) -> bool:
    return ca.name.lower() in {name.lower() for name in names}


def _path(enrollment: Enrollment) -> str:
    section = GROUPS if isinstance(enrollment, EnrollmentGroup) else ENROLLMENTS
    return f"{section.path}/{quote(enrollment.id, safe='')}"


def _credential(
    name: str, enrollment: Enrollment | None, latest: Exchange | None
) -> tuple[str, ...]:
    """Return the options of a device's credential, with the file names of `aiodps certs`."""
    match enrollment and enrollment.attestation:
        case SymmetricKeys() if isinstance(enrollment, EnrollmentGroup):
            return ("--registration-id", name, "--group-key-file", f"{enrollment.id}.key")
        case SymmetricKeys():
            return ("--registration-id", name, "--symmetric-key-file", f"{name}.key")
        case TpmKeys():
            return ("--registration-id", name, "--tpm")
        case None if latest is not None and latest.key_name is not None:
            return ("--registration-id", name, "--symmetric-key-file", f"{name}.key")
        case _:
            return ("--cert", f"certs/{name}_chain.pem", "--key", f"certs/{name}_key.pem")


def _lines(*parts: Sequence[str]) -> str:
    """Write a command in lines that can be read, and copied as one."""
    return " \\\n  ".join(shlex.join(part) for part in parts)
