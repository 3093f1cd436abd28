"""The enrollments of an instance, and the reading of an enrollments file."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from aiodps.emulator.protocol.formats import ANY, check_etag, enrollment_etag
from aiodps.emulator.protocol.json_input import read_value
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    Mechanism,
    SigningCertificates,
    SymmetricKeys,
    fill_in_known,
)
from aiodps.emulator.state.store import Document, Kind, MemoryStore, Store, reading
from aiodps.errors import ConfigurationError

__all__ = [
    "Enrollment",
    "EnrollmentGroup",
    "Enrollments",
    "IndividualEnrollment",
    "read_enrollments",
]


class Enrollments:
    """The enrollments of an instance.

    In every method `if_match` is the etag that the enrollment must still have, with or without
    quotes; None or `*` is any.

    Args:
        enrollments: Added unless the store has one with the same id; of two with one id the
            later one wins.
        rng: Source of keys and etags; None for the system's.
        store: Keeps them over a restart; None for memory alone.
    """

    def __init__(
        self,
        enrollments: Iterable[Enrollment] = (),
        *,
        rng: random.Random | None = None,
        store: Store | None = None,
    ) -> None:
        self._rng = rng or random.SystemRandom()
        self._store = store or MemoryStore()
        self._individuals: dict[str, IndividualEnrollment] = {}
        self._groups: dict[str, EnrollmentGroup] = {}
        self._by_thumbprint: dict[str, EnrollmentGroup] = {}
        self._by_ca_name: dict[str, EnrollmentGroup] = {}
        self._of_keys: list[tuple[EnrollmentGroup, SymmetricKeys]] = []
        for kind in (Kind.ENROLLMENT, Kind.GROUP):
            with reading(kind):
                for _, document in self._store.load(kind):
                    self._keep(_from_document(document))

        self._index_groups()
        for each in [each for each in enrollments if self._stored(each) is None]:
            self.put(each)

    def __iter__(self) -> Iterator[Enrollment]:
        """Iterate over all enrollments, individual ones first."""
        yield from self._individuals.values()
        yield from self._groups.values()

    def put(
        self, enrollment: Enrollment, *, if_match: str | None = None, now: float | None = None
    ) -> Enrollment:
        """Add an enrollment, or replace the one with its id.

        Missing keys, and certificates given by thumbprint alone, are taken from the enrollment
        that is replaced; otherwise missing keys are generated. So what the service API shows can
        be put back.

        Args:
            enrollment: Its etag and dates are ignored.
            if_match: See above; an etag other than `*` demands that there is one to replace.
            now: Seconds since 1970; None for the clock's.

        Returns:
            The enrollment as stored.

        Raises:
            Refusal: 412, if the etag does not match.
        """
        older = self._stored(enrollment)
        if older is not None or if_match != ANY:
            check_etag(older.etag if older else "", if_match)

        moment = time.time() if now is None else now
        newer = replace(
            enrollment,
            attestation=self._completed(enrollment, older),
            etag=enrollment_etag(rng=self._rng, now=moment),
            created=older.created if older else moment,
            updated=moment,
        )
        self._keep(newer)
        if isinstance(newer, EnrollmentGroup):
            self._index_groups()

        self._store.put(*_key(newer), partial(_to_document, newer))
        return newer

    def remove(self, enrollment: Enrollment, *, if_match: str | None = None) -> None:
        """Remove an enrollment of this instance.

        Raises:
            Refusal: 412, if the etag does not match.
        """
        check_etag(enrollment.etag, if_match)
        kind, key = _key(enrollment)
        self._store.delete(kind, key)
        if kind is Kind.GROUP:
            self._groups.pop(key, None)
            self._index_groups()
        else:
            self._individuals.pop(key, None)

    def individual_ids(self) -> Iterable[str]:
        """Return the registration ids of all individual enrollments, in lower case."""
        return self._individuals.keys()

    def group_ids(self) -> Iterable[str]:
        """Return the ids of all enrollment groups, in lower case."""
        return self._groups.keys()

    def individual(self, registration_id: str) -> IndividualEnrollment | None:
        """Return the individual enrollment of a device, or None."""
        return self._individuals.get(registration_id.lower())

    def group(self, enrollment_group_id: str) -> EnrollmentGroup | None:
        """Return an enrollment group, or None."""
        return self._groups.get(enrollment_group_id.lower())

    def group_signed_by(self, thumbprint: str) -> EnrollmentGroup | None:
        """Return the group that has a CA's certificate, or None; of two groups the older one.

        Args:
            thumbprint: SHA-256, upper-case hex digits.
        """
        return self._by_thumbprint.get(thumbprint)

    def group_of_ca(self, names: Iterable[str]) -> EnrollmentGroup | None:
        """Return the group that refers to a CA by one of its names on the instance, or None."""
        by_name = (self._by_ca_name.get(name.lower()) for name in names)
        return next((group for group in by_name if group), None)

    def groups_of_keys(self) -> Sequence[tuple[EnrollmentGroup, SymmetricKeys]]:
        """Return the groups with symmetric keys, oldest first."""
        return self._of_keys

    def _stored(self, enrollment: Enrollment) -> Enrollment | None:
        """Return the enrollment of the same kind and id, or None."""
        kind, key = _key(enrollment)
        return (self._groups if kind is Kind.GROUP else self._individuals).get(key)

    def _keep(self, enrollment: Enrollment) -> None:
        match enrollment:
            case IndividualEnrollment():
                self._individuals[enrollment.id.lower()] = enrollment
            case EnrollmentGroup():
                self._groups[enrollment.id.lower()] = enrollment
            case _:
                assert_never(enrollment)

    def _completed(self, enrollment: Enrollment, older: Enrollment | None) -> Any:
        """Return its attestation, of the same type, with nothing missing."""
        mechanism: Mechanism = enrollment.attestation
        if older is not None:
            mechanism = fill_in_known(mechanism, older.attestation)

        if isinstance(mechanism, SymmetricKeys):
            return mechanism.completed(rng=self._rng)

        return mechanism

    def _index_groups(self) -> None:
        self._by_thumbprint.clear()
        self._by_ca_name.clear()
        self._of_keys.clear()
        for group in self._groups.values():
            match group.attestation:
                case SigningCertificates(primary=primary, secondary=secondary):
                    for each in filter(None, (primary, secondary)):
                        self._by_thumbprint.setdefault(each.thumbprint, group)
                case CaReferences(primary=name, secondary=other):
                    for each_name in filter(None, (name, other)):
                        self._by_ca_name.setdefault(each_name.lower(), group)
                case SymmetricKeys() as keys:
                    self._of_keys.append((group, keys))


def read_enrollments(document: bytes | str) -> tuple[Enrollment, ...]:
    """Read a JSON list of enrollments as the service API writes them, individual ones and groups.

    Raises:
        ConfigurationError: If it cannot be read; the message names entry and member.
    """
    try:
        if isinstance(document, bytes):
            document = document.decode(json.detect_encoding(document))

        entries = read_value(document.removeprefix("\ufeff"))
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}: {exc.msg}"
        raise _fault(f"the enrollments are not JSON in {place}") from None
    except ValueError as exc:
        raise _fault(f"the enrollments are not JSON: {exc}") from exc

    if not isinstance(entries, list):
        raise _fault("the enrollments are not a JSON list")

    found: dict[tuple[Kind, str], str] = {}
    enrollments = []
    for index, entry in enumerate(entries):
        source = f"enrollment {index}"
        if not isinstance(entry, dict):
            raise _fault(f"{source} is not an object")

        enrollment = read_enrollment(entry, source=source)
        if (first := found.setdefault(_key(enrollment), source)) != source:
            raise _fault(f"{source} has the id of {first}: {_key(enrollment)[1]!a}")

        enrollments.append(enrollment)

    return tuple(enrollments)


def _key(enrollment: Enrollment) -> tuple[Kind, str]:
    """Return kind and key of an enrollment in a store."""
    is_group = isinstance(enrollment, EnrollmentGroup)
    return Kind.GROUP if is_group else Kind.ENROLLMENT, enrollment.id.lower()


def _to_document(enrollment: Enrollment) -> Document:
    """Write an enrollment for a store: all of it, dates to the bit."""
    return {
        "enrollment": enrollment.to_json(),
        "etag": enrollment.etag,
        "created": enrollment.created,
        "updated": enrollment.updated,
    }


def _from_document(document: Document) -> Enrollment:
    fields = dict(document)
    return replace(read_enrollment(fields.pop("enrollment"), source="a stored one"), **fields)


def _fault(message: str) -> ConfigurationError:
    return ConfigurationError(
        message,
        setting="enrollments",
        hint="give a JSON list of enrollments as the service API writes them",
    )
