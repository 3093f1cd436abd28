"""The identity of an instance: id scope, certificates and access keys, kept over a restart."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Self

from cryptography import x509

from aiodps.emulator.azure_api.access_policies import OWNER, AccessPolicy
from aiodps.emulator.state.credentials import from_document, to_document
from aiodps.emulator.state.store import Document, Kind, Store, reading
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority, Credential

ID_SCOPE: Final = "0ne00000000"
"""The default id scope."""
_ID_SCOPE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
"""Ids that need no escaping in paths and user names."""
CA_NAME: Final = "aiodps emulator CA - for tests only"
CA_DAYS: Final = 7.0
"""Validity of a CA in memory, which is new at each start."""
KEPT_CA_DAYS: Final = 90.0
"""Validity of a CA that is kept over restarts."""
RENEWAL_DAYS: Final = 7.0
"""A kept CA that expires sooner is replaced."""

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceIdentity:
    """Id scope, certificates and access policies of an instance."""

    id_scope: str
    authority: Authority
    """The CA that signs the server's certificate."""
    server: Credential
    """The server's certificate and key."""
    policies: tuple[AccessPolicy, ...] = field(repr=False)
    """Shared access policies of the service API; the first one is the owner's."""

    @classmethod
    def load_or_create(
        cls,
        store: Store,
        *,
        durable: bool,
        id_scope: str | None,
        service_key: str | None,
        access_policies: Iterable[AccessPolicy | str],
        server_names: Sequence[str],
    ) -> Self:
        """Load the identity from a store; create what is missing, and save it there.

        Args:
            store: Of the instance.
            durable: Whether the store survives a restart.
            id_scope: Required id scope; None for the stored one.
            service_key: Primary key of the owner, base64; None for the stored one.
            access_policies: Besides the owner's; strings get the stored keys, if there are any.
            server_names: Names and addresses for the server's certificate, besides `localhost` and
                `127.0.0.1`.

        Raises:
            ConfigurationError: If the store belongs to another id scope, or the key or a policy is
                invalid.
        """
        days = KEPT_CA_DAYS if durable else CA_DAYS
        with reading(Kind.INSTANCE):
            kept = dict(store.load(Kind.INSTANCE))
            authority = _authority(kept.get("authority"), days=days)
            identity = cls(
                id_scope=_id_scope(kept.get("id scope"), id_scope),
                authority=authority,
                server=_server(kept.get("server"), authority, server_names),
                policies=(
                    _owner(kept.get(_about(OWNER)), service_key),
                    *(_policy(each, kept) for each in access_policies),
                ),
            )

        for key, document in identity._to_json().items():
            store.put(Kind.INSTANCE, key, partial(dict, document))

        return identity

    @property
    def owner(self) -> AccessPolicy:
        """The owner's policy, with all rights."""
        return self.policies[0]

    def _to_json(self) -> Mapping[str, Document]:
        policies = {
            _about(each.name): {"keys": [each.primary_key, each.secondary_key]}
            for each in self.policies
        }
        return policies | {
            "id scope": {"id_scope": self.id_scope},
            "authority": to_document(self.authority),
            "server": to_document(self.server),
        }


def _id_scope(kept: Document | None, wanted: str | None) -> str:
    if wanted is not None and not _ID_SCOPE.fullmatch(wanted):
        raise ConfigurationError(
            f"{wanted!r} is not an id scope",
            setting="id_scope",
            hint=f"give letters, digits, `-`, `.` and `_`, such as {ID_SCOPE}",
        )

    if kept is None:
        return wanted or ID_SCOPE

    id_scope: str = kept["id_scope"]
    if wanted is not None and wanted.lower() != id_scope.lower():
        raise ConfigurationError(
            f"the state file belongs to id scope {id_scope!r}, not {wanted!r}",
            setting="id_scope",
            hint="leave the id scope out, or name another state file",
        )

    return id_scope


def _authority(kept: Document | None, *, days: float) -> Authority:
    if kept is not None:
        authority = from_document(Authority, kept)
        if _ends_after(authority.certificate, days=RENEWAL_DAYS):
            return authority

        log.warning(
            "the emulator's CA was about to expire and has been replaced: trust the new one"
        )

    return Authority.root(CA_NAME, days=days)


def _server(kept: Document | None, authority: Authority, names: Sequence[str]) -> Credential:
    """Issue the server's certificate; the key stays, for clients that pin it."""
    key = None if kept is None else from_document(Credential, kept).private_key
    all_names = dict.fromkeys((*names, "localhost", "127.0.0.1"))
    return authority.server(tuple(all_names), private_key=key, days=KEPT_CA_DAYS)


def _owner(kept: Document | None, service_key: str | None) -> AccessPolicy:
    primary, secondary = (None, None) if kept is None else kept["keys"]
    return AccessPolicy.create(OWNER, key=service_key or primary, secondary=secondary)


def _policy(given: AccessPolicy | str, kept: Mapping[str, Document]) -> AccessPolicy:
    if not isinstance(given, str):
        return given

    policy = AccessPolicy.parse(given)
    known = kept.get(_about(policy.name))
    if known is None:
        return policy

    primary, secondary = known["keys"]
    return replace(policy, primary_key=primary, secondary_key=secondary)


def _about(policy: str) -> str:
    """Return the key under which a store has those of a policy."""
    return f"keys of {policy.lower()}"


def _ends_after(certificate: x509.Certificate, *, days: float) -> bool:
    rest = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    return rest > dt.timedelta(days=days)
