"""The files that `aiodps emulator` reads: enrollments, faults and CA certificates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiodps.errors import ConfigurationError
from aiodps.input_files.certificates import load_certificates
from aiodps.input_files.formats import in_bytes
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import MAX_LIST_BYTES, read
from aiodps.input_files.text import decode
from aiodps.pki.credential import is_ca

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


@contextmanager
def _naming(origin: Origin) -> Iterator[None]:
    """Put the name of a file in front of an error about its content."""
    try:
        yield
    except ConfigurationError as error:
        raise origin.error(
            f"cannot be used: {error.message}", reason="content", hint=error.hint
        ) from None
