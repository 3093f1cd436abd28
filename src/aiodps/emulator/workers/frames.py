"""What parent and worker say to each other: pickled frames, each after its length.

Pickle, because both ends are one program of one version, and what they say has many types. Reading
makes nothing but dataclasses and enumerations of the emulator, so a frame is data whatever it
holds.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import logging
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.faults.effects import Point
from aiodps.emulator.journal import Exchange
from aiodps.emulator.wire import (
    Delivery,
    Identity,
    ManagementRequest,
    ManagementResponse,
    Request,
    Response,
)
from aiodps.pki import Credential

_LENGTH: Final = 4
"""Bytes of the length before each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The parent's first frame: what a worker is to do."""

    host: str
    https_port: int
    mqtt_port: int
    certificate_pem: bytes
    """Of the server."""
    private_key_pem: bytes = field(repr=False)
    log_level: int
    """Of `logging`."""

    @classmethod
    def of(cls, host: str, ports: tuple[int, int], server: Credential) -> Self:
        """Have a worker serve both ports with this certificate, and log what we would log."""
        https_port, mqtt_port = ports
        return cls(
            host=host,
            https_port=https_port,
            mqtt_port=mqtt_port,
            certificate_pem=server.certificate_pem,
            private_key_pem=server.private_key_pem,
            log_level=logging.getLogger("aiodps").getEffectiveLevel(),
        )

    @property
    def server(self) -> Credential:
        """Certificate and key of the server."""
        return Credential.from_pem(self.certificate_pem, self.private_key_pem)


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker's first frame: it listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDevice:
    """What `Desk.answer` is asked."""

    number: int
    """Of the question, among those of its worker."""
    request: Request
    identity: Identity
    front: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskManagement:
    """What `Desk.answer_management` is asked."""

    number: int
    request: ManagementRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefusal:
    """What `Desk.refuse` is asked."""

    number: int
    status_code: int
    reason: str
    what: str
    front: str
    certificates: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskMeeting:
    """What `Desk.meet` is asked."""

    number: int
    point: Point
    registration_id: str
    front: str
    certificates: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Met:
    """What `Desk.meet` answers."""

    delivery: Delivery | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The parent's answer to a question."""

    number: int
    """Of the question."""
    answer: Response | ManagementResponse | Met | None
    """None if there is none, because of a bug that the parent has logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """A client of MQTT is in, over a connection of the worker."""

    session: int
    """A number among those of its worker."""
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """It has gone."""

    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The parent says: the client is in elsewhere, end this one."""

    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A handshake with a worker came to nothing."""

    exchange: Exchange


Ask: TypeAlias = AskDevice | AskManagement | AskMeeting | AskRefusal
Frame: TypeAlias = Setup | Ready | Ask | Answer | Enter | Leave | End | Noted


def encode(frame: Frame) -> bytes:
    """Write a frame."""
    buffer = io.BytesIO(bytes(_LENGTH))
    buffer.seek(_LENGTH)
    _Writer(buffer, pickle.HIGHEST_PROTOCOL).dump(frame)
    length = buffer.tell() - _LENGTH
    buffer.seek(0)
    buffer.write(length.to_bytes(_LENGTH))
    return buffer.getvalue()


class Decoder:
    """Cuts frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and return what is complete."""
        self._buffer += data
        begin = 0
        while len(self._buffer) >= (start := begin + _LENGTH):
            end = start + int.from_bytes(self._buffer[begin:start])
            if len(self._buffer) < end:
                break

            yield _Reader(io.BytesIO(self._buffer[start:end])).load()
            begin = end

        del self._buffer[:begin]


class _Writer(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        match obj:
            case x509.Certificate():
                return _certificate, (obj.public_bytes(Encoding.DER),)
            case int() | str() if isinstance(obj, enum.Enum):
                # Such as a status code: on the wire it is its value, here too.
                return type(obj.value), (obj.value,)
            case _:
                return NotImplemented


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        ours = module.startswith(_PACKAGE) or (module, name) in _PLAIN
        found = super().find_class(module, name) if ours else None
        if found in _PLAIN.values() or found is _certificate or _is_value(found, module):
            return found

        raise pickle.UnpicklingError(f"{module}.{name} is no part of a frame")


_PACKAGE = "aiodps.emulator."
_PLAIN: Mapping[tuple[str, str], object] = {("builtins", "int"): int, ("builtins", "str"): str}


def _is_value(found: object, module: str) -> bool:
    """Whether it is a type of plain values that the module itself defines, not what it imports."""
    if not isinstance(found, type) or found.__module__ != module:
        return False

    return dataclasses.is_dataclass(found) or issubclass(found, enum.Enum)


@functools.lru_cache(maxsize=4096)
def _certificate(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)
