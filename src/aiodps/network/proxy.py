"""Proxies: parsing of their URLs, and the sources of user and password.

Nothing here reads HTTPS_PROXY or its like: a device uses the proxy that it was given.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from aiodps.errors import ConfigurationError
from aiodps.input_files.text import read_password
from aiodps.protocol.identifiers import check_endpoint, check_port

Scheme: TypeAlias = Literal["http", "socks5"]

_SAME: Final = {"socks5h": "socks5"}
"""Other names of a scheme; the proxy resolves host names with all of them."""
_EXAMPLE: Final = "http://proxy.example:3128 or socks5://proxy.example:1080"
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST: Final = 255
"""Bytes of a user and of a password. Source: RFC 1929, section 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy through which the service is reached: HTTP CONNECT, or SOCKS version 5.

    It looks up the service's name; TLS is between the device and the service. Neither its user nor
    its password is ever shown.

    Raises:
        ConfigurationError: If a value is not valid; the message never repeats one.
    """

    scheme: Scheme
    """`http` (CONNECT, Basic authentication) or `socks5` (none, or user and password)."""
    host: str
    """Host name or IP literal of the proxy."""
    port: int
    """TCP port of the proxy."""
    user: str | None = field(default=None, repr=False)
    """User, which goes to the proxy unencrypted; None to authenticate as nobody."""
    password: str | None = field(default=None, repr=False)
    """Password of the user; None if it is in a file of its own, or if there is no user."""

    def __post_init__(self) -> None:
        """Check every value."""
        if self.scheme not in get_args(Scheme):
            raise _invalid(f"is neither {' nor '.join(get_args(Scheme))}")

        object.__setattr__(self, "host", _host(self.host))
        _port(self.port)
        for name in ("user", "password"):
            if (fault := self._fault_of(name)) is not None:
                raise _invalid(f"has a {name} {fault}")

        if self.user is None and self.password is not None:
            raise _invalid("has a password and no user")

    def _fault_of(self, name: str) -> str | None:
        value = getattr(self, name)
        if value is None:
            return None

        if not isinstance(value, str) or _UNPRINTABLE.search(value):
            return "with control characters"

        least = 0 if self.scheme == "http" and name == "password" else 1
        if not least <= len(value.encode()) <= _LONGEST:
            return f"that has not {least} to {_LONGEST} bytes"

        if self.scheme == "http" and name == "user" and ":" in value:
            return "with a colon, which separates it from the password"

        return None

    def __str__(self) -> str:
        """Return the URL without user and password."""
        return f"{self.scheme}://{authority(self.host, self.port)}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the proxy of a URL such as `http://user:password@proxy.example:3128`.

        User and password are percent-encoded where they have any of `@:/?#%`.

        Raises:
            ConfigurationError: If it is not the URL of a proxy that can be used; the message
                never repeats it.
        """
        try:
            parts = urlsplit(_text(url))
            host, port = parts.hostname, parts.port
            user, password = _decoded(parts.username), _decoded(parts.password)
        except ValueError:
            raise _invalid(
                "is not a URL, or has a user or password that is not percent-encoded"
            ) from None

        if (fault := _fault_of(url, parts)) is not None:
            raise _invalid(fault)

        if not host or port is None:
            raise _invalid("has no host" if not host else "has no port")

        return cls(
            scheme=_SAME.get(parts.scheme, parts.scheme),  # type: ignore[arg-type]  # is checked
            host=host,
            port=port,
            user=user,
            password=password,
        )

    @classmethod
    def load(cls, proxy: Proxy | None, password_file: Path | None) -> Proxy | None:
        """Return a proxy with the password that is in a file; None if there is no proxy.

        Args:
            proxy: As it was given.
            password_file: Has in its first line the password of the proxy's user, or
                `user:password` if the proxy has no user yet; None if there is none.

        Raises:
            ConfigurationError: If the file cannot be read, if there is nothing that it belongs to,
                or if the user has no password.
        """
        if password_file is None:
            if proxy is None or proxy.user is None or proxy.password is not None:
                return proxy

            raise _invalid("has a user and no password", setting="proxy_password_file")

        if proxy is None or proxy.password is not None:
            raise ConfigurationError(
                "there is a file with the password of a proxy, and "
                + ("no proxy" if proxy is None else "a password in the proxy's URL"),
                setting="proxy_password_file",
                hint="give proxy= as well" if proxy is None else "leave one of them out",
            )

        return _with_password(proxy, read_password(password_file, setting="proxy_password_file"))


def _with_password(proxy: Proxy, line: bytes) -> Proxy:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise _invalid("has a password that is not UTF-8", setting="proxy_password_file") from None

    if proxy.user is not None:
        return dataclasses.replace(proxy, password=text)

    user, colon, password = text.partition(":")
    if not colon:
        raise _invalid(
            "has a password and no user",
            setting="proxy_password_file",
            hint="write user:password into the file, or give the user in the proxy's URL",
        )

    return dataclasses.replace(proxy, user=user, password=password)


def authority(host: str, port: int) -> str:
    """Return host and port as in a URL, with an IPv6 literal in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value

    raise ValueError


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text, errors="strict")


def _fault_of(url: str, parts: SplitResult) -> str | None:
    """Return what is wrong with a URL as a whole, without a part of it; None if nothing."""
    scheme = _SAME.get(parts.scheme, parts.scheme)
    if "://" not in url:
        return "has no scheme"

    if scheme == "https":
        return "is reached over TLS (https), which is not supported"

    if scheme not in get_args(Scheme):
        return "has another scheme than http or socks5"

    if parts.path.strip("/") or parts.query or parts.fragment:
        return "has a path, or a user or password that is not percent-encoded"

    return None


def _host(host: object) -> str:
    bracketed = f"[{host}]" if isinstance(host, str) and ":" in host else host
    try:
        return check_endpoint(bracketed)
    except ConfigurationError:
        raise _invalid("has a host that is neither a name nor an IP address") from None


def _port(port: object) -> None:
    try:
        check_port(port)
    except ConfigurationError:
        raise _invalid("has a port that is not from 1 to 65535") from None


def _invalid(
    fault: str, *, setting: str = "proxy", hint: str = f"give a URL such as {_EXAMPLE}"
) -> ConfigurationError:
    return ConfigurationError(f"the proxy {fault}", setting=setting, hint=hint)
