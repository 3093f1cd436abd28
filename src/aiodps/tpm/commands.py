"""TPM 2.0 commands of an attestation, with tpm2-pytss: blocking, on one connection each time.

Handles and templates are those of Microsoft's clients and of TCG's "TPM v2.0 Provisioning
Guidance", so that keys that are in the TPM already are found. What a command needs in the TPM's
memory, sessions and transient keys, is flushed whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_SE,
    TPM2B_DATA,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMA_SESSION,
    TPMT_SYM_DEF,
    TPMT_SYM_DEF_OBJECT,
    TPMU_SYM_KEY_BITS,
    TPMU_SYM_MODE,
    TCTILdr,
)

from aiodps.tpm import structures
from aiodps.tpm.failures import NO_KEY
from aiodps.tpm.structures import Challenge, StorageKey, StructureError

ENDORSEMENT_HANDLE: Final = 0x81010001
STORAGE_ROOT_HANDLE: Final = 0x81000001
"""Persistent handles of the two keys; a key that is missing is made and stored there."""
_PERSISTENT: Final = 0x81000000
"""First of the persistent handles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tpm2:
    """A TPM 2.0, and what is needed to use it."""

    tcti: str
    """How to reach it: `NAME:CONFIGURATION`, as tpm2-tss and tpm2-tools write it."""
    owner_auth: bytes = field(repr=False)
    endorsement_auth: bytes = field(repr=False)
    identity_handle: int
    """Where the key of a challenge is stored."""

    def public_keys(self) -> tuple[bytes, bytes]:
        """Return endorsement key and storage root key, each a `TPM2B_PUBLIC`.

        One that is missing is made.

        Raises:
            StructureError: If one is not the key that Microsoft's clients use.
        """
        with self._connected() as esapi:
            endorsement, storage_root = _endorsement_key(esapi), _storage_root_key(esapi)
            return _public(esapi, endorsement), _public(esapi, storage_root)

    def activate(self, challenge: bytes) -> None:
        """Import the key of a challenge, and store it in place of an earlier one.

        Raises:
            StructureError: If the challenge is not complete.
        """
        parts = Challenge.read(challenge)
        with self._connected() as esapi:
            storage_root = _storage_root_key(esapi)
            inner_key = _activate_credential(esapi, storage_root, parts)
            with _loaded(esapi, storage_root, inner_key, parts) as key:
                self._forget_identity(esapi)
                esapi.evict_control(ESYS_TR.OWNER, key, self.identity_handle)

    def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes with the stored key.

        Raises:
            TpmError: "sign", if none is stored.
        """
        with self._connected() as esapi:
            if self.identity_handle not in _persistent_handles(esapi):
                raise NO_KEY.error()

            key = esapi.tr_from_tpmpublic(self.identity_handle)
            return bytes(esapi.hmac(key, data, TPM2_ALG.SHA256))

    def _forget_identity(self, esapi: Any) -> None:
        if self.identity_handle in _persistent_handles(esapi):
            old = esapi.tr_from_tpmpublic(self.identity_handle)
            esapi.evict_control(ESYS_TR.OWNER, old, self.identity_handle)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        with TCTILdr.parse(self.tcti) as tcti, ESAPI(tcti) as esapi:
            esapi.tr_set_auth(ESYS_TR.OWNER, self.owner_auth)
            esapi.tr_set_auth(ESYS_TR.ENDORSEMENT, self.endorsement_auth)
            yield esapi


def _persistent_handles(esapi: Any) -> set[int]:
    handles: set[int] = set()
    more, first = True, _PERSISTENT
    while more:
        more, found = esapi.get_capability(TPM2_CAP.HANDLES, first, 254)
        handles.update(int(handle) for handle in found.data.handles)
        first = max(handles, default=0) + 1

    return handles


def _endorsement_key(esapi: Any) -> Any:
    template = structures.ENDORSEMENT_KEY_TEMPLATE
    return _key_at(esapi, ENDORSEMENT_HANDLE, ESYS_TR.ENDORSEMENT, template)


def _storage_root_key(esapi: Any) -> Any:
    template = structures.STORAGE_ROOT_KEY_TEMPLATE
    return _key_at(esapi, STORAGE_ROOT_HANDLE, ESYS_TR.OWNER, template)


def _key_at(esapi: Any, handle: int, hierarchy: Any, template: bytes) -> Any:
    """Return the primary key at a persistent handle; make it if there is none."""
    if handle in _persistent_handles(esapi):
        return esapi.tr_from_tpmpublic(handle)

    public, _ = TPM2B_PUBLIC.unmarshal(template)
    made = esapi.create_primary(TPM2B_SENSITIVE_CREATE(), public, hierarchy)
    with _flushed(esapi, made[0]) as transient:
        return esapi.evict_control(ESYS_TR.OWNER, transient, handle)


def _public(esapi: Any, key: Any) -> bytes:
    public: bytes = esapi.read_public(key)[0].marshal()
    StorageKey.read(public)
    return public


def _activate_credential(esapi: Any, storage_root: Any, parts: Challenge) -> Any:
    """Return what the HMAC key is wrapped with, as `TPM2B_DATA`, whose repr does not show it."""
    session = esapi.start_auth_session(
        ESYS_TR.NONE,
        ESYS_TR.NONE,
        TPM2_SE.POLICY,
        TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL),
        TPM2_ALG.SHA256,
    )
    with _flushed(esapi, session):
        esapi.trsess_set_attributes(session, TPMA_SESSION.CONTINUESESSION)
        esapi.policy_secret(ESYS_TR.ENDORSEMENT, session, b"", b"", b"", 0)
        inner_key = esapi.activate_credential(
            storage_root,
            _endorsement_key(esapi),
            _read(TPM2B_ID_OBJECT, parts.credential),
            _read(TPM2B_ENCRYPTED_SECRET, parts.credential_seed),
            session1=ESYS_TR.PASSWORD,
            session2=session,
        )
        return TPM2B_DATA(bytes(inner_key))


@contextmanager
def _loaded(esapi: Any, storage_root: Any, inner_key: Any, parts: Challenge) -> Iterator[Any]:
    """Import the HMAC key below the storage root key, and load it."""
    public = _read(TPM2B_PUBLIC, parts.area)
    private = esapi.import_(
        storage_root,
        inner_key,
        public,
        _read(TPM2B_PRIVATE, parts.duplicate),
        _read(TPM2B_ENCRYPTED_SECRET, parts.duplicate_seed),
        TPMT_SYM_DEF_OBJECT(
            algorithm=TPM2_ALG.AES,
            keyBits=TPMU_SYM_KEY_BITS(aes=128),
            mode=TPMU_SYM_MODE(aes=TPM2_ALG.CFB),
        ),
    )
    with _flushed(esapi, esapi.load(storage_root, private, public)) as key:
        yield key


@contextmanager
def _flushed(esapi: Any, handle: Any) -> Iterator[Any]:
    try:
        yield handle
    finally:
        esapi.flush_context(handle)


def _read(kind: Any, inside: bytes) -> Any:
    """Read a structure; tpm2-tss ignores bytes behind it, and the TPM does not get to see them."""
    given = structures.tpm2b(inside)
    read, _ = kind.unmarshal(given)
    if read.marshal() != given:
        raise StructureError("a part of the challenge is not the structure it should be")

    return read
