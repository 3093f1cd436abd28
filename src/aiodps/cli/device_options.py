"""The options of commands for one device: who it is, where the service is, and how to ask it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from aiodps.cli.output import Option
from aiodps.settings import Settings
from aiodps.tpm.hardware import DEFAULT_TCTI
from aiodps.transports import AUTO, TRANSPORTS
from aiodps.transports.base import SESSIONS

_DEVICE: Final = (
    click.option(
        "--id-scope", metavar="S", help="Id scope of the DPS instance, like 0ne00012ABC."
    ),
    click.option(
        "--cert", metavar="FILE", help="Device certificate, with its intermediates if any."
    ),
    click.option("--key", metavar="FILE", help="Private key; not needed if --cert contains it."),
    click.option(
        "--key-password-file", metavar="FILE", help="Password of the key, in the first line."
    ),
    click.option(
        "--symmetric-key-file", metavar="FILE", help="Symmetric key in base64, in place of --cert."
    ),
    click.option(
        "--group-key-file",
        metavar="FILE",
        help="Key of an enrollment group, to derive the device's.",
    ),
    click.option(
        "--tpm",
        metavar="[TCTI]",
        is_flag=False,
        flag_value=DEFAULT_TCTI,
        help=f"Use the TPM of this machine, over REST. Default of TCTI: {DEFAULT_TCTI}.",
    ),
    click.option("--tpm-owner-auth-file", metavar="FILE", help="Password of the TPM's owner."),
    click.option(
        "--tpm-endorsement-auth-file",
        metavar="FILE",
        help="Password of the TPM's endorsement hierarchy.",
    ),
    click.option(
        "--secondary-cert",
        "secondary_certificate",
        metavar="FILE",
        help="Certificate to use if the service refuses the first credential.",
    ),
    click.option(
        "--secondary-key",
        "secondary_private_key",
        metavar="FILE",
        help="Its private key; not needed if --secondary-cert contains it.",
    ),
    click.option(
        "--secondary-key-password-file", metavar="FILE", help="Password of the secondary key."
    ),
    click.option(
        "--secondary-symmetric-key-file",
        metavar="FILE",
        help="Symmetric key to use if the service refuses the first credential.",
    ),
    click.option(
        "--secondary-group-key-file",
        metavar="FILE",
        help="Key of an enrollment group to derive that key from.",
    ),
    click.option(
        "--registration-id", metavar="R", help="Default: the certificate's CN; needed with a key."
    ),
)
"""How the device authenticates."""
_ENDPOINT: Final = (
    click.option("--transport", type=click.Choice([AUTO, *TRANSPORTS]), help="Default: auto."),
    click.option(
        "--mqtt-session",
        type=click.Choice(SESSIONS),
        help="MQTT session: that of the library aiomqtt, or the native one. Default: aiomqtt.",
    ),
    click.option("--endpoint", metavar="HOST", help="Default: Azure's global endpoint."),
    click.option("--port", type=int, metavar="N", help="Default: 8883 for mqtt, 443 for others."),
    click.option("--address", metavar="HOST", help="Host to connect to in place of the endpoint."),
    click.option("--proxy", metavar="URL", help="http://HOST:PORT or socks5://HOST:PORT."),
    click.option(
        "--proxy-password-file",
        metavar="FILE",
        help="Password of the proxy's user, or user:password, in the first line.",
    ),
    click.option(
        "--trust", metavar="FILE", help="CAs of the service; also: azure, certifi, system."
    ),
    click.option("--timeout", type=float, metavar="S", help="Seconds in all. Default: 90."),
)
"""Where the service is."""
_RETRIES: Final = (
    click.option(
        "--attempts",
        type=int,
        metavar="N",
        help="Consecutive failures after which it gives up. Default: none, but 5 if the name does"
        " not exist or the port refuses connections.",
    ),
    click.option(
        "--hub-suffix",
        "hub_suffixes",
        multiple=True,
        metavar=".DOMAIN",
        help="Domain an assigned hub may be in; repeatable. Default: Azure's.",
    ),
)
"""How it is asked, and what is accepted."""
_OUTPUT: Final = (
    click.option("--config", metavar="FILE", help="TOML file with settings."),
    click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
    ),
)
"""Where settings come from, and how results are printed."""
_TRACE: Final = (
    click.option("--trace", is_flag=True, help="Show each message that is sent or received."),
)


def device_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how the device authenticates."""
    return _with(function, _DEVICE)


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the service is, and how it is asked; `--json`, `--trace`."""
    return _with(function, (*_ENDPOINT, *_RETRIES, *_OUTPUT, *_TRACE))


def endpoint_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the service is; `--config` and `--json`."""
    return _with(function, (*_ENDPOINT, *_OUTPUT))


def _with(function: Callable[..., None], options: Sequence[Option]) -> Callable[..., None]:
    for option in reversed(options):
        function = option(function)

    return function


def settings_of(*, cert: str | None = None, key: str | None = None, **options: Any) -> Settings:
    """Return the settings that the options name, apart from `attempts`, `as_json` and `trace`."""
    return Settings.load(
        **{name: None if value == () else value for name, value in options.items()},
        certificate=cert,
        private_key=key,
    )
