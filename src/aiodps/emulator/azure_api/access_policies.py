"""Access control of the service API: shared access policies, their rights, and their tokens.

Source: Microsoft Learn, "Control access to Azure IoT Hub Device Provisioning Service". Tokens of
Microsoft's clients are for a host name, with or without the port, or for a whole URL, escaped or
not, and last from ten minutes to an hour (seen on the wire). Tokens of Entra ID cannot be verified
on this machine: the owner's key takes the place of one.
"""

from __future__ import annotations

import enum
import hmac
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import symmetric_key
from aiodps.emulator.protocol.messages import ManagementRequest
from aiodps.emulator.service.authentication.sas import SasError, SharedAccessSignature, decode_key
from aiodps.errors import ConfigurationError

OWNER: Final = "provisioningserviceowner"
"""The policy that every instance has, with all rights."""
HTTPS_PORT: Final = 443


class Right(enum.StrEnum):
    """A right of a shared access policy."""

    SERVICE_CONFIG = "ServiceConfig"
    ENROLLMENT_READ = "EnrollmentRead"
    ENROLLMENT_WRITE = "EnrollmentWrite"
    REGISTRATION_READ = "RegistrationStatusRead"
    REGISTRATION_WRITE = "RegistrationStatusWrite"
    DEVICE_CONNECT = "DeviceConnect"


EVERYTHING: Final = frozenset(Right) - {Right.DEVICE_CONNECT}
"""The rights of the owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """A shared access policy: rights for tokens signed with one of two keys."""

    name: str
    """Any casing of it is the same policy."""
    primary_key: str = field(repr=False)
    """Base64."""
    secondary_key: str = field(repr=False)
    """Base64."""
    rights: frozenset[Right] = EVERYTHING

    @classmethod
    def create(
        cls,
        name: str,
        *,
        rights: Iterable[Right] = EVERYTHING,
        key: str | None = None,
        secondary: str | None = None,
        rng: random.Random | None = None,
    ) -> Self:
        """Make a policy.

        Args:
            name: Of the policy, `skn` in tokens.
            rights: Of the policy.
            key: Its primary key, base64; None to generate one.
            secondary: Its secondary key; None to generate one.
            rng: Source of keys; None for the system's.

        Raises:
            ConfigurationError: If the key is not base64.
        """
        source = rng or random.SystemRandom()
        if key is not None:
            _check_key(key)

        return cls(
            name=name,
            primary_key=key or symmetric_key(rng=source),
            secondary_key=secondary or symmetric_key(rng=source),
            rights=frozenset(rights),
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Make a policy from `NAME=RIGHT,RIGHT`, rights in any casing, with new keys.

        Raises:
            ConfigurationError: If it has another form; the hint lists the rights.
        """
        name, _, words = text.partition("=")
        known = {right.lower(): right for right in Right}
        rights = [known.get(word.strip().lower()) for word in words.split(",")]
        if not name.strip() or None in rights:
            raise ConfigurationError(
                f"{text!r} is not a shared access policy",
                setting="access_policies",
                hint=f"write NAME=RIGHT,RIGHT; the rights are {', '.join(Right)}",
            )

        return cls.create(name.strip(), rights=[right for right in rights if right])

    def connection_string(self, host: str, port: int) -> str:
        """Return the connection string, as Microsoft's clients and the Azure CLI take it."""
        name = f"[{host}]" if ":" in host else host
        address = name if port == HTTPS_PORT else f"{name}:{port}"
        key = f"SharedAccessKeyName={self.name};SharedAccessKey={self.primary_key}"
        return f"HostName={address};{key}"


class Access:
    """The shared access policies of an instance.

    Args:
        policies: The owner's first.

    Raises:
        ConfigurationError: If two have the same name.
    """

    def __init__(self, policies: Iterable[AccessPolicy]) -> None:
        self._by_name: dict[str, AccessPolicy] = {}
        for each in policies:
            if self._by_name.setdefault(each.name.lower(), each) is not each:
                raise ConfigurationError(
                    f"there are two shared access policies {each.name!r}",
                    setting="access_policies",
                    hint="give each policy its own name",
                )

    @property
    def policies(self) -> tuple[AccessPolicy, ...]:
        """All policies, the owner's first."""
        return tuple(self._by_name.values())

    def connection_strings(self, host: str, port: int) -> dict[str, str]:
        """Return the connection strings of all policies, by their names."""
        return {each.name: each.connection_string(host, port) for each in self.policies}

    def policy(self, name: str) -> AccessPolicy | None:
        """Return a policy by its name in any casing, or None."""
        return self._by_name.get(name.lower())

    @property
    def bearer_token(self) -> str:
        """The bearer token that has all rights: the owner's primary key."""
        return self.policies[0].primary_key

    def is_bearer(self, authorization: str) -> bool:
        """Whether a header has the bearer token, or the owner's secondary key as one."""
        scheme, _, token = authorization.partition(" ")
        owner = self.policies[0]
        given = token.strip().encode()
        matches = [
            hmac.compare_digest(given, key.encode())
            for key in (owner.primary_key, owner.secondary_key)
        ]
        return scheme.lower() == "bearer" and any(matches)

    def check(self, request: ManagementRequest, right: Right, *, now: float) -> None:
        """Refuse a request without a token that has a right.

        Raises:
            Refusal: 401, if there is no token, or it is invalid or lacks the right.
        """
        authorization = request.headers.get("authorization", "").strip()
        if self.is_bearer(authorization):
            return

        try:
            signature = SharedAccessSignature.read(authorization)
        except SasError as exc:
            raise _unauthorized(f"not a shared access signature: {exc}") from exc

        if not _is_for(signature, request):
            raise _unauthorized(f"the signature is for {signature.resource[:200]!a}")

        if signature.is_expired(now):
            raise _unauthorized(f"the signature expired {now - signature.expiry:.0f} s ago")

        self._check_signature(signature, right)

    def _check_signature(self, signature: SharedAccessSignature, right: Right) -> None:
        policy = self.policy(signature.policy or "")
        if policy is None:
            raise _unauthorized(f"there is no policy {(signature.policy or '')[:100]!a}")

        keys = map(decode_key, (policy.primary_key, policy.secondary_key))
        if not signature.is_signed_with(keys):
            raise _unauthorized(f"the signature is not by a key of {policy.name}")

        if right not in policy.rights:
            raise _unauthorized(f"{policy.name} lacks the right {right}")


def _is_for(signature: SharedAccessSignature, request: ManagementRequest) -> bool:
    """Whether a token is for the host of the request; ports and paths are ignored."""
    named = _host(signature.resource)
    return bool(named) and named == _host(request.headers.get("host", ""))


def _host(resource: str) -> str:
    """Return the host of a host name, `host:port` or URL in lower case; empty if there is none."""
    try:
        return urlsplit(resource if "://" in resource else f"//{resource}").hostname or ""
    except ValueError:
        return ""


def _check_key(key: str) -> None:
    try:
        decoded = decode_key(key)
    except ValueError:
        decoded = b""

    if not decoded:
        raise ConfigurationError(
            "the key of the service API is not base64",
            setting="service_key",
            hint="generate one with: openssl rand -base64 64 | tr -d '\\n'",
        )


def _unauthorized(why: str) -> Refusal:
    return Refusal(ErrorCode.UNAUTHORIZED, "Unauthorized", why=why)
