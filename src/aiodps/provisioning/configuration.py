"""`Configuration`: what a client is configured with, checked once for all its devices."""

from __future__ import annotations

import secrets
from typing import final

from aiodps.argument_types import check_type
from aiodps.errors import ConfigurationError
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings
from aiodps.transports import transport_by_name
from aiodps.transports.base import AUTO, TransportFactory


@final
class Configuration:
    """The settings of a client, its retry policy, and the transport that it has chosen."""

    def __init__(
        self,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        seed: int | None = None,
        loud: bool = True,
    ) -> None:
        """Check the settings, and prepare what all devices share.

        Args:
            settings: The settings; an id scope is among them.
            retry: When and how often to retry; None for `RetryPolicy()`.
            seed: Seed of the jitter; None to draw one.
            loud: Whether assignments and retries are logged above DEBUG.

        Raises:
            ConfigurationError: If an argument is of a wrong type, there is no id scope, or a file
                of the trust or of the proxy cannot be used.
        """
        check_type(settings, Settings, "settings")
        check_type(retry, RetryPolicy | None, "retry")
        check_type(seed, int | None, "seed")
        self.settings: Settings = settings
        self.retry: RetryPolicy = RetryPolicy() if retry is None else retry
        self.seed: int = secrets.randbits(64) if seed is None else seed
        self.loud: bool = loud
        self.id_scope: str = _require_id_scope(settings)
        self.trust: Trust = Trust.of(settings.trust)
        self.proxy: Proxy | None = Proxy.load(settings.proxy, settings.proxy_password_file)
        self._race: TransportFactory | None = None

    def requested_id(self, registration_id: str | None) -> str | None:
        """Return the registration id that was requested; None for that of the credential."""
        return self.settings.registration_id if registration_id is None else registration_id

    def transport(self, *, needs_rest: bool) -> TransportFactory:
        """Return the settings of the transport.

        Args:
            needs_rest: Whether it is for what only rest has; see `transport_by_name`.

        Raises:
            ConfigurationError: If a port or an MQTT session was given besides a transport that
                has its own.
        """
        settings = self.settings
        match settings.transport:
            case str(name):
                made = transport_by_name(
                    name, port=settings.port, needs_rest=needs_rest, session=settings.mqtt_session
                )
                if made.name != AUTO:
                    return made

                self._race = self._race or made  # it remembers its winners
                return self._race
            case factory:
                self._check_alone(factory)
                return factory

    def _check_alone(self, factory: TransportFactory) -> None:
        """Refuse settings that a transport which is a value would not obey."""
        for name in ("port", "mqtt_session"):
            if getattr(self.settings, name) is not None:
                raise ConfigurationError(
                    f"{name} cannot be combined with the transport {factory!r}, which has its own",
                    setting=name,
                    hint=f"leave {name} out, and set it in the transport",
                )


def _require_id_scope(settings: Settings) -> str:
    if settings.id_scope is not None:
        return settings.id_scope

    raise ConfigurationError(
        "no id scope was given",
        setting="id_scope",
        hint="give id_scope= (--id-scope), or set AIODPS_ID_SCOPE",
    )
