"""The files that `aiodps emulator` reads: enrollments, faults, CA certificates and keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.attestation.symmetric_key import read_key
from aiodps.errors import CertificateError, ConfigurationError, PrivateKeyError
from aiodps.input_files.certificates import load_certificates
from aiodps.input_files.formats import in_bytes
from aiodps.input_files.origin import Origin
from aiodps.input_files.private_keys import find_key
from aiodps.input_files.reading import MAX_LIST_BYTES, read
from aiodps.input_files.text import decode
from aiodps.pki.credential import Credential, is_ca

if TYPE_CHECKING:
    from aiodps.emulator import Emulator
    from aiodps.emulator.faults.plan import Plan
    from aiodps.emulator.service.enrollments.store import Enrollment


def read_enrollments_file(path: str | None) -> tuple[Enrollment, ...]:
    """Read the file of `--enrollments`; None for no enrollments.

    Raises:
        ConfigurationError: If it cannot be read; the message names file, entry and member.
    """
    from aiodps.emulator.service.enrollments.store import read_enrollments  # noqa: PLC0415 (an extra)

    if path is None:
        return ()

    origin = Origin.file(path, what="enrollments file", kind="enrollments")
    data = read(origin, limit=MAX_LIST_BYTES)
    # PowerShell writes UTF-16, which is JSON as well.
    document = decode(data, origin) if in_bytes(data) is None else data
    with _naming(origin):
        return read_enrollments(document)


def read_faults_file(path: str | None) -> Plan | None:
    """Read the file of `--faults`; None for no faults.

    Raises:
        ConfigurationError: If it cannot be read; the message names file, rule and member.
    """
    from aiodps.emulator.faults.plan import Plan  # noqa: PLC0415 (an extra)

    if path is None:
        return None

    origin = Origin.file(path, what="fault file", kind="faults")
    text = decode(read(origin), origin)
    with _naming(origin):
        return Plan.read(text)


def groups_by_ca(options: tuple[str, ...]) -> Iterator[tuple[Enrollment, str]]:
    """Yield a group for each option of `--group-ca`, and the file with its CA.

    Raises:
        ConfigurationError: If an option has no `=`, its name is not valid, or its file has no
            certificate.
    """
    for option in options:
        name, path = _name_and_file(option, setting="group_ca")
        origin = Origin.file(path, what="CA file", kind="group_ca")
        ca = load_certificates(read(origin), origin)[0]
        pem = ca.public_bytes(Encoding.PEM).decode()
        mechanism = {"signingCertificates": {"primary": {"certificate": pem}}}
        attestation = {"type": "x509", "x509": mechanism}
        yield _enrollment("enrollmentGroupId", name, attestation, setting="group_ca"), path


def trust_cas(dps: Emulator, path: str) -> None:
    """Upload every certificate of a file of `--verified-ca`, as verified.

    Raises:
        ConfigurationError: If it cannot be read, or holds a certificate that is not a CA.
    """
    origin = Origin.file(path, what="CA file", kind="verified_ca")
    stem = "".join(char if char.isascii() and char.isalnum() else "-" for char in Path(path).stem)
    for number, certificate in enumerate(load_certificates(read(origin), origin), start=1):
        if not is_ca(certificate):
            raise origin.error(
                f"contains the certificate {certificate.subject.rfc4514_string()!a}, which is"
                " not a CA",
                reason="not_a_ca",
                hint="give the certificate of the CA that issued it",
            )

        name = stem[:60] if number == 1 else f"{stem[:60]}-{number}"
        dps.service.certificates.upload(name, certificate, verified=True, now=time.time())


def read_server_credential(certificate: str | None, private_key: str | None) -> Credential | None:
    """Read the files of `--tls-cert` and `--tls-key`; None if there is no certificate.

    The key may be in the certificate's file. The other certificates are kept, in their order.

    Raises:
        ConfigurationError: If there is a key only.
        CertificateError: If a certificate cannot be read.
        PrivateKeyError: If the key cannot be read, or does not belong to the first certificate.
    """
    if certificate is None:
        if private_key is None:
            return None

        raise ConfigurationError(
            "--tls-key without --tls-cert", setting="tls_cert", hint="give the certificate too"
        )

    of_certificate = Origin.file(certificate, what="TLS certificate file", kind=CertificateError)
    of_key = Origin.file(private_key or certificate, what="TLS key file", kind=PrivateKeyError)
    leaf, *above = load_certificates(read(of_certificate), of_certificate)
    key = find_key(read(of_key), of_key).open(None)
    if leaf.public_key() != key.public_key():
        raise of_key.error(
            "does not belong to the first certificate of --tls-cert",
            reason="mismatch",
            hint="put the server's certificate before those of its CAs",
        )

    return Credential(certificate=leaf, private_key=key, intermediates=tuple(above))


def enrollments_with_keys(
    device_keys: tuple[str, ...], group_keys: tuple[str, ...]
) -> Iterator[Enrollment]:
    """Yield an enrollment for each option; the key in its file is the primary one.

    Raises:
        ConfigurationError: If an option has no `=`, or its id is not valid.
        SymmetricKeyError: If a key cannot be read.
    """
    kinds = {
        "device_key": ("registrationId", device_keys),
        "group_key": ("enrollmentGroupId", group_keys),
    }
    for setting, (member, options) in kinds.items():
        for option in options:
            name, path = _name_and_file(option, setting=setting)
            key = {"primaryKey": read_key(Path(path)).text()}
            attestation = {"type": "symmetricKey", "symmetricKey": key}
            yield _enrollment(member, name, attestation, setting=setting)


def _name_and_file(option: str, *, setting: str) -> tuple[str, str]:
    name, equals, path = option.partition("=")
    if name and equals and path:
        return name, path

    what = "an id" if setting == "device_key" else "a name"
    raise ConfigurationError(
        f"{option!r} is not {what} and a file",
        setting=setting,
        hint=f"give --{setting.replace('_', '-')} {what.split()[1].upper()}=FILE",
    )


def _enrollment(
    member: str, name: str, attestation: dict[str, Any], *, setting: str
) -> Enrollment:
    from aiodps.emulator.service.enrollments.json import read_enrollment  # noqa: PLC0415 (an extra)

    document: dict[str, Any] = {member: name, "attestation": attestation}
    return read_enrollment(document, source=f"--{setting.replace('_', '-')}")


@contextmanager
def _naming(origin: Origin) -> Iterator[None]:
    """Put the name of a file in front of an error about its content."""
    try:
        yield
    except ConfigurationError as error:
        raise origin.error(
            f"cannot be used: {error.message}", reason="content", hint=error.hint
        ) from None
