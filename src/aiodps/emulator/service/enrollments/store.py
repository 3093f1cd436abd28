"""The enrollments of an instance, and the file they come from."""

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
        enrollments: To begin with, unless the store has one of the id; of two with one id the
            later one counts.
        rng: Where keys and etags come from; None for the system's.
        store: Where they are kept as well, and where they come from at the start; None for memory
            alone.
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
        self._restore()
        for each in [each for each in enrollments if self._older(each) is None]:
            self.put(each)

    def __iter__(self) -> Iterator[Enrollment]:
        """Go through all of them, individual ones first."""
        yield from self._individuals.values()
        yield from self._groups.values()

    def put(
        self, enrollment: Enrollment, *, if_match: str | None = None, now: float | None = None
    ) -> Enrollment:
        """Add an enrollment, or put it in the place of the one with its id.

        Keys that it leaves open are those of the one before, or made; so are certificates of which
        it tells the thumbprint alone. That way what the service API shows can be put back.

        Args:
            enrollment: Its etag and dates count for nothing.
            if_match: See above; of no meaning if there is none with its id, unless it is an etag.
            now: Seconds since 1970; None to look at the clock.

        Returns:
            The enrollment as the instance has it.

        Raises:
            Refusal: 412, if the etag is another one.
        """
        older = self._older(enrollment)
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
        self._store.put(*_place(newer), partial(_to_kept, newer))
        return newer

    def remove(self, enrollment: Enrollment, *, if_match: str | None = None) -> None:
        """Remove an enrollment of this instance.

        Raises:
            Refusal: 412, if the etag is another one.
        """
        check_etag(enrollment.etag, if_match)
        match enrollment:
            case IndividualEnrollment(registration_id=name):
                self.remove_individual(name)
            case EnrollmentGroup(enrollment_group_id=name):
                self.remove_group(name)
            case _:
                assert_never(enrollment)

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

    def group_signed_by(
        self, thumbprint: str, *, names: Iterable[str] = ()
    ) -> EnrollmentGroup | None:
        """Return the group of a CA, or None; of two groups of one CA the older one.

        Args:
            thumbprint: Of the CA's certificate: SHA-256, upper-case hex digits.
            names: That it has on the instance, for groups that refer to it by name.
        """
        found = self._by_thumbprint.get(thumbprint)
        by_name = (self._by_ca_name.get(name.lower()) for name in names)
        return found or next((group for group in by_name if group), None)

    def groups_of_keys(self) -> Sequence[tuple[EnrollmentGroup, SymmetricKeys]]:
        """Return the groups whose devices sign, with their keys, oldest first."""
        return self._of_keys

    def remove_individual(self, registration_id: str) -> None:
        """Remove an individual enrollment; one that is not there is removed already."""
        self._individuals.pop(registration_id.lower(), None)
        self._store.delete(Kind.ENROLLMENT, registration_id.lower())

    def remove_group(self, enrollment_group_id: str) -> None:
        """Remove an enrollment group; one that is not there is removed already."""
        self._groups.pop(enrollment_group_id.lower(), None)
        self._store.delete(Kind.GROUP, enrollment_group_id.lower())
        self._index_groups()

    def _restore(self) -> None:
        with reading(Kind.ENROLLMENT):
            for key, document in self._store.load(Kind.ENROLLMENT):
                enrollment = _read_kept(document)
                assert isinstance(enrollment, IndividualEnrollment)  # noqa: S101 (by its kind)
                self._individuals[key] = enrollment

        with reading(Kind.GROUP):
            for key, document in self._store.load(Kind.GROUP):
                group = _read_kept(document)
                assert isinstance(group, EnrollmentGroup)  # noqa: S101 (by its kind)
                self._groups[key] = group

        self._index_groups()

    def _older(self, enrollment: Enrollment) -> Enrollment | None:
        match enrollment:
            case IndividualEnrollment(registration_id=name):
                return self.individual(name)
            case EnrollmentGroup(enrollment_group_id=name):
                return self.group(name)
            case _:
                assert_never(enrollment)

    def _keep(self, enrollment: Enrollment) -> None:
        match enrollment:
            case IndividualEnrollment():
                self._individuals[enrollment.registration_id.lower()] = enrollment
            case EnrollmentGroup():
                self._groups[enrollment.enrollment_group_id.lower()] = enrollment
                self._index_groups()
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

        entries = read_value(document)
    except ValueError as exc:
        raise _fault(f"the enrollments are not JSON: {exc}") from exc

    if not isinstance(entries, list):
        raise _fault("the enrollments are not a JSON list")

    found: dict[tuple[Kind, str], str] = {}
    enrollments = []
    for index, entry in enumerate(entries):
        place = f"enrollment {index}"
        if not isinstance(entry, dict):
            raise _fault(f"{place} is not an object")

        enrollment = read_enrollment(entry, source=place)
        if (first := found.setdefault(_place(enrollment), place)) != place:
            raise _fault(f"{place} has the id of {first}: {_place(enrollment)[1]!a}")

        enrollments.append(enrollment)

    return tuple(enrollments)


def _place(enrollment: Enrollment) -> tuple[Kind, str]:
    """Return what no two enrollments have in common."""
    match enrollment:
        case IndividualEnrollment(registration_id=name):
            return Kind.ENROLLMENT, name.lower()
        case EnrollmentGroup(enrollment_group_id=name):
            return Kind.GROUP, name.lower()
        case _:
            assert_never(enrollment)


def _to_kept(enrollment: Enrollment) -> Document:
    """Write an enrollment for a store: all of it, dates to the bit."""
    return {
        "enrollment": enrollment.to_json(),
        "etag": enrollment.etag,
        "created": enrollment.created,
        "updated": enrollment.updated,
    }


def _read_kept(document: Document) -> Enrollment:
    """Read what `_to_kept` writes."""
    about = dict(document)
    enrollment = read_enrollment(about.pop("enrollment"), source="a kept enrollment")
    return replace(enrollment, **about)


def _fault(message: str) -> ConfigurationError:
    return ConfigurationError(
        message,
        setting="enrollments",
        hint="give a JSON list of enrollments as the service API writes them",
    )
